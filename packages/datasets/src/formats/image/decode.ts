import type { ImageShape } from '@bulwark/core';
import { corrupt } from '../../corrupt.js';
import { decodeBmp, isBmp } from './bmp.js';
import { decodeJpeg, isJpeg } from './jpeg.js';
import type { Rgba } from './pixels.js';
import { decodePng, isPng } from './png.js';
import { decodePnm, isPnm } from './pnm.js';
import { decodeWebp, isWebp } from './webp.js';

/** Names that images have; what a file is, its first bytes say. */
export const imageExtensions = ['.png', '.jpg', '.jpeg', '.webp', '.bmp', '.ppm', '.pgm'] as const;

const decoders = [
  { is: isPng, decode: decodePng },
  { is: isJpeg, decode: decodeJpeg },
  { is: isWebp, decode: decodeWebp },
  { is: isBmp, decode: decodeBmp },
  { is: isPnm, decode: decodePnm },
] as const;

/** Forms that are not read, by their first bytes, so that a message can name them. */
const others: readonly [name: string, signature: RegExp][] = [
  ['a GIF image', /^GIF8/],
  ['a TIFF image', /^(?:II\*\0|MM\0\*)/],
  ['an AVIF or HEIC image', /^.{4}ftyp/s],
  ['a JPEG 2000 image', /^(?:.{4}jP {2}|\xff\x4f\xff\x51)/s],
  ['a web page', /^\s*<(?:!doctype|html)/i],
  ['a pointer of git-lfs, not the image itself', /^version https:\/\/git-lfs/],
];

function decodeRgba(bytes: Uint8Array, file: string): Rgba {
  const decoder = decoders.find(({ is }) => is(bytes));
  if (!decoder) {
    const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
    const what = others.find(([, signature]) => signature.test(start))?.[0] ?? 'no image';
    throw corrupt({ file, offset: 0 }, `${what}; PNG, JPEG, WebP, BMP, PGM and PPM are read`, {
      hint: /git-lfs/.test(what) ? 'run `git lfs pull`' : 'convert it to PNG, or take it away',
    });
  }
  try {
    return decoder.decode(bytes, file);
  } catch (cause) {
    if ((cause as Error).name === 'BulwarkError') throw cause;
    throw corrupt({ file }, `the image cannot be decoded: ${(cause as Error).message ?? cause}`, {
      cause,
      hint: 'open it in an image viewer: it is damaged or cut off',
    });
  }
}

/**
 * Decodes an image of any known form to 1 channel (Pillow's mode L) or 3 (RGB). Alpha is dropped, as torchvision does. JPEG and WebP pixels are
 * those of libjpeg-turbo and libwebp.
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
