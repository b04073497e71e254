import { PNG } from 'pngjs';
import { inflateSync } from 'node:zlib';
import { corrupt, needBytes } from '../../corrupt.js';
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

const interlaceMethod = 28;
const imageData = 0x49444154; // IDAT
const passes = 7;

/** The library unpacks the rows of an interlaced image without a limit; others it stops where the image is full. */
function checkInterlaced(bytes: Uint8Array, file: string): void {
  if (bytes[interlaceMethod] !== 1) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const parts: Uint8Array[] = [];
  for (let at = signatureLength; at + 12 <= bytes.length; at += 12 + view.getUint32(at))
    if (view.getUint32(at + 4) === imageData) parts.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  // at most 8 bytes a pixel; every row of every pass has a byte more, and may be rounded up to one
  const most = 8 * width * height + passes * 2 * (height + 8);
  try {
    inflateSync(Buffer.concat(parts), { maxOutputLength: most });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw corrupt({ file }, `its data unpack to more than an image of ${width}x${height} has`, { cause });
  }
}

export function decodePng(bytes: Uint8Array, file: string): Rgba {
  needBytes(bytes, { from: 0, count: 24 }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkSize(view.getUint32(16), view.getUint32(20), { file, offset: 16 });
  checkInterlaced(bytes, file);
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
