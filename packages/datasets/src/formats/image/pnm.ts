import { corrupt, needBytes } from '../../corrupt.js';
import { checkSize, type Rgba } from './pixels.js';

/** Binary greymaps (`P5`) and pixmaps (`P6`), as `.pgm` and `.ppm` files mostly are. */
export const isPnm = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && (bytes[1] === 0x35 || bytes[1] === 0x36);

export function decodePnm(bytes: Uint8Array, file: string): Rgba {
  const header = Buffer.from(bytes.subarray(0, 4096)).toString('latin1');
  const found = /^P([56])(?:\s|#.*\n)+(\d{1,9})(?:\s|#.*\n)+(\d{1,9})(?:\s|#.*\n)+(\d{1,5})\s/.exec(header);
  if (!found) throw corrupt({ file, offset: 0 }, 'the header of a PGM or PPM image is damaged');
  const [whole, kind, ...numbers] = found;
  const [width, height, most] = numbers.map(Number) as [number, number, number];
  checkSize(width, height, { file });
  if (most < 1 || most > 255) throw corrupt({ file }, `values up to ${most}; up to 255 are read`);
  const channels = kind === '6' ? 3 : 1;
  needBytes(bytes, { from: whole.length, count: width * height * channels }, { file });
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      const value = bytes[whole.length + i * channels + (channels === 3 ? c : 0)]!;
      data[4 * i + c] = most === 255 ? value : Math.round((value * 255) / most);
    }
    data[4 * i + 3] = 255;
  }
  return { width, height, data };
}
