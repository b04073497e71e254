import { createRequire } from 'node:module';
import { corrupt, needBytes } from '../../corrupt.js';
import { checkSize, type Rgba } from './pixels.js';

const text = (bytes: Uint8Array, from: number) => String.fromCharCode(...bytes.subarray(from, from + 4));

export const isWebp = (bytes: Uint8Array): boolean => text(bytes, 0) === 'RIFF' && text(bytes, 8) === 'WEBP';

/** Width and height from the header of the first chunk: lossy, lossless, or extended. */
function readSize(bytes: Uint8Array, file: string): { width: number; height: number } {
  needBytes(bytes, { from: 12, count: 18 }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = text(bytes, 12);
  if (kind === 'VP8 ') return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (kind === 'VP8L') {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (kind !== 'VP8X') throw corrupt({ file, offset: 12 }, `a WebP image that begins with ${JSON.stringify(kind)}`);
  if (bytes[20]! & 0x02)
    throw corrupt({ file, offset: 20 }, 'an animated WebP image', { hint: 'save one frame of it' });
  return {
    width: (view.getUint32(23, true) >>> 8) + 1,
    height: (view.getUint32(26, true) >>> 8) + 1,
  };
}

const load = createRequire(import.meta.url);

/** Decodes by libwebp. */
export function decodeWebp(bytes: Uint8Array, file: string): Rgba {
  const { width, height } = readSize(bytes, file);
  checkSize(width, height, { file });
  return (load('@cwasm/webp') as typeof import('@cwasm/webp')).decode(bytes);
}
