import { decode as decodeJpeg } from 'jpeg-js';
import { PNG } from 'pngjs';
import type { ImageShape } from '@bulwark/core';
import { corrupt, needBytes } from '../corrupt.js';
import { plainBytes } from './files.js';

/** No image of a training set is larger; a header that claims more is damaged or hostile. */
const maxPixels = 4096 * 4096;

export const imageExtensions = ['.png', '.jpg', '.jpeg'] as const;

interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

function decodePng(bytes: Uint8Array, file: string): Rgba {
  needBytes(bytes, { from: 0, count: 24 }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width * height > maxPixels)
    throw corrupt({ file, offset: 16 }, `${width}x${height} pixels; at most ${maxPixels} are read`);
  return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

const decodeJpg = (bytes: Uint8Array): Rgba =>
  decodeJpeg(bytes, {
    useTArray: true,
    tolerantDecoding: false,
    maxResolutionInMP: maxPixels / 1e6,
    maxMemoryUsageInMB: 1024,
  });

/**
 * Decodes a PNG or JPEG (by its first bytes, not its name) to 1 channel (Pillow's mode L) or 3 (RGB). Alpha is dropped, as torchvision does.
 * JPEG values can differ from libjpeg's by a few units.
 */
export function decodeImage(
  bytes: Uint8Array,
  options: { file: string; channels: 1 | 3 },
): { data: Uint8Array; shape: ImageShape } {
  const { file, channels } = options;
  const { width, height, data } = decodeRgba(bytes, file);
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0, from = 0, to = 0; i < width * height; i++, from += 4) {
    const [r, g, b] = [data[from]!, data[from + 1]!, data[from + 2]!];
    if (channels === 1) pixels[to++] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    else {
      pixels[to++] = r;
      pixels[to++] = g;
      pixels[to++] = b;
    }
  }
  return { data: pixels, shape: [height, width, channels] };
}

function decodeRgba(bytes: Uint8Array, file: string): Rgba {
  const png = bytes[0] === 0x89 && bytes[1] === 0x50;
  const jpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  if (!png && !jpeg) throw corrupt({ file, offset: 0 }, 'neither a PNG nor a JPEG image');
  try {
    return png ? decodePng(bytes, file) : decodeJpg(bytes);
  } catch (cause) {
    if ((cause as Error).name === 'BulwarkError') throw cause;
    throw corrupt({ file }, `the image cannot be decoded: ${(cause as Error).message ?? cause}`, { cause });
  }
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
