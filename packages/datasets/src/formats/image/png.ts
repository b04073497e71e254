import { PNG } from 'pngjs';
import { needBytes } from '../../corrupt.js';
import { plainBytes } from '../files.js';
import type { ImageShape } from '@bulwark/core';
import { checkSize, type Rgba } from './pixels.js';

export const isPng = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47;

const signatureLength = 8;
const transparency = 0x74524e53; // tRNS

/**
 * The file without its chunk of transparency: alpha is dropped anyway, but the library blackens pixels of a transparent colour, whose
 * colour counts.
 */
function withoutTransparency(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = signatureLength; at + 12 <= bytes.length;) {
    const next = at + 12 + view.getUint32(at);
    if (view.getUint32(at + 4) === transparency && next <= bytes.length) {
      const rest = new Uint8Array(bytes.length - (next - at));
      rest.set(bytes.subarray(0, at));
      rest.set(bytes.subarray(next), at);
      return rest;
    }
    at = next;
  }
  return bytes;
}

export function decodePng(bytes: Uint8Array, file: string): Rgba {
  needBytes(bytes, { from: 0, count: 24 }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkSize(view.getUint32(16), view.getUint32(20), { file, offset: 16 });
  const opaque = withoutTransparency(bytes);
  return PNG.sync.read(Buffer.from(opaque.buffer, opaque.byteOffset, opaque.byteLength));
}

/** A PNG of these pixels (1 or 3 channels). */
export function encodePng(data: Uint8Array, [height, width, channels]: ImageShape): Uint8Array {
  const png = new PNG({ width, height });
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) png.data[4 * i + c] = data[i * channels + (channels === 1 ? 0 : c)]!;
    png.data[4 * i + 3] = 255;
  }
  return plainBytes(PNG.sync.write(png));
}
