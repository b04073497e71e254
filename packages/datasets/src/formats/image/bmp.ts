import { corrupt, needBytes } from '../../corrupt.js';
import { checkSize, type Rgba } from './pixels.js';

export const isBmp = (bytes: Uint8Array): boolean => bytes[0] === 0x42 && bytes[1] === 0x4d;

const fileHeader = 14;
/** The header of OS/2; all others begin as the second. */
const coreHeader = 12;
const infoHeader = 40;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  /** Where pixels begin. */
  readonly start: number;
  /** Red, green, blue bits of pixels of 16 and 32 bits. */
  readonly masks: readonly number[];
  readonly palette: { readonly from: number; readonly entry: number; readonly count: number };
}

function readHeader(bytes: Uint8Array, file: string): Header {
  needBytes(bytes, { from: 0, count: fileHeader + coreHeader }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = view.getUint32(10, true);
  const size = view.getUint32(fileHeader, true);
  if (size === coreHeader) {
    const [width, height, bits] = [18, 20, 24].map((at) => view.getUint16(at, true)) as [number, number, number];
    const palette = { from: fileHeader + size, entry: 3, count: 2 ** Math.min(8, bits) };
    return { width, height, topDown: false, bits, start, masks: [0x7c00, 0x3e0, 0x1f], palette };
  }
  if (size < infoHeader) throw corrupt({ file, offset: fileHeader }, `a BMP header of ${size} bytes`);
  needBytes(bytes, { from: fileHeader, count: infoHeader }, { file });
  const [width, signed] = [view.getInt32(18, true), view.getInt32(22, true)];
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const hasMasks = compression === 3 || compression === 6;
  if (compression !== 0 && !hasMasks)
    throw corrupt({ file, offset: 30 }, `a compressed BMP image (kind ${compression})`, {
      hint: 'save it as PNG, or as BMP without compression',
    });
  if (hasMasks) needBytes(bytes, { from: fileHeader + infoHeader, count: 12 }, { file });
  const masks = hasMasks
    ? [0, 4, 8].map((at) => view.getUint32(fileHeader + infoHeader + at, true))
    : bits === 16
      ? [0x7c00, 0x3e0, 0x1f]
      : [0xff0000, 0xff00, 0xff];
  // the masks follow the smallest header, and are part of every larger one
  const from = fileHeader + size + (hasMasks && size === infoHeader ? (compression === 6 ? 16 : 12) : 0);
  const count = Math.min(view.getUint32(46, true) || 2 ** Math.min(8, bits), 256);
  return {
    width,
    height: Math.abs(signed),
    topDown: signed < 0,
    bits,
    start,
    masks,
    palette: { from, entry: 4, count },
  };
}

/** What a mask takes out of a pixel, in 8 bits. */
function channel(mask: number): (pixel: number) => number {
  const low = mask & -mask;
  const most = (mask >>> 0) / (low >>> 0 || 1);
  return (pixel) => (mask === 0 ? 0 : Math.round((((pixel & mask) >>> 0) / (low >>> 0) / most) * 255));
}

/** Reads the uncompressed forms: palettes of 1, 4 and 8 bits, 16, 24 and 32 bits a pixel, upside down or not. Alpha is not read. */
export function decodeBmp(bytes: Uint8Array, file: string): Rgba {
  const { width, height, topDown, bits, start, masks, palette } = readHeader(bytes, file);
  checkSize(width, height, { file, offset: 18 });
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw corrupt({ file, offset: 28 }, `${bits} bits a pixel`);
  const stride = Math.ceil((width * bits) / 32) * 4;
  needBytes(bytes, { from: start, count: stride * height }, { file });
  if (bits <= 8) needBytes(bytes, { from: palette.from, count: palette.count * palette.entry }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const of = masks.map(channel);
  const data = new Uint8Array(width * height * 4);
  for (let y = 0, to = 0; y < height; y++) {
    const row = start + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++, to += 4) {
      data[to + 3] = 255;
      if (bits === 16 || bits === 32) {
        const pixel = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
        for (let c = 0; c < 3; c++) data[to + c] = of[c]!(pixel);
        continue;
      }
      let from = row + 3 * x;
      if (bits <= 8) {
        const index = (bytes[row + ((x * bits) >> 3)]! >> (8 - bits - ((x * bits) & 7))) & ((1 << bits) - 1);
        if (index >= palette.count) throw corrupt({ file }, `colour ${index} of a palette of ${palette.count}`);
        from = palette.from + index * palette.entry;
      }
      for (let c = 0; c < 3; c++) data[to + c] = bytes[from + 2 - c]!;
    }
  }
  return { width, height, data };
}
