import { corrupt } from '../../corrupt.js';
import { decompress } from './libjpeg.js';
import { checkSize, type Rgba } from './pixels.js';

export const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8;

/** Encoders write about ten scans of a progressive image; every one costs a pass over all pixels, or a few lines of it. */
const freeScans = 20;
const mostScannedPixels = 2 ** 28;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Is there an end-of-image marker? */
  readonly ends: boolean;
}

const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
const startOfScan = 0xda;
const endOfImage = 0xd9;
/** Markers without a length: restarts, start and end of the image, and the filler. */
const standsAlone = (marker: number) => (marker >= 0xd0 && marker <= 0xd9) || marker === 0x01;

/** Size and components from the frame header; counts the scans on the way. */
function readFrame(bytes: Uint8Array, file: string): Frame {
  let frame: Omit<Frame, 'ends'> | undefined;
  let scans = 0;
  let ends = false;
  for (let at = 2; at + 2 <= bytes.length && !ends;) {
    // within a scan, 0xff is followed by 0, or by a restart marker
    if (bytes[at] !== 0xff || bytes[at + 1] === 0 || bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const marker = bytes[at + 1]!;
    if (standsAlone(marker)) {
      ends = marker === endOfImage;
      at += 2;
      continue;
    }
    if (at + 4 > bytes.length) break;
    if (isFrame(marker) && !frame && at + 10 <= bytes.length) {
      const word = (offset: number) => bytes[at + offset]! * 256 + bytes[at + offset + 1]!;
      frame = { height: word(5), width: word(7), components: bytes[at + 9]! };
    }
    const pixels = frame ? frame.width * frame.height : 0;
    if (marker === startOfScan && ++scans > freeScans && scans * Math.max(pixels, 2 ** 16) > mostScannedPixels)
      throw corrupt({ file, offset: at }, `${scans} scans of ${pixels} pixels; no encoder writes so many`);
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
  if (!frame) throw corrupt({ file }, 'a JPEG image without a frame header');
  return { ...frame, ends };
}

/** Adobe's inverted CMYK to red, green and blue in place, as Pillow does it. */
function cmykToRgb(pixels: Uint8Array): void {
  const share = (a: number, b: number) => {
    const product = a * b + 128;
    return ((product >> 8) + product) >> 8;
  };
  for (let i = 0; i < pixels.length; i += 4) {
    const light = pixels[i + 3]!;
    for (let c = 0; c < 3; c++) pixels[i + c] = light - share(255 - pixels[i + c]!, light);
    pixels[i + 3] = 255;
  }
}

/**
 * Decodes by libjpeg-turbo itself, so that pixels are those that Pillow and torchvision have, interpolated chroma included. What libjpeg only
 * warns of is taken, as they do, if the image has an end.
 */
export function decodeJpeg(bytes: Uint8Array, file: string): Rgba {
  const { width, height, components, ends } = readFrame(bytes, file);
  checkSize(width, height, { file });
  const format = components === 4 ? 'cmyk' : 'rgba';
  const { pixels, warned } = decompress(bytes, { width, height, format });
  if (warned && !ends) throw corrupt({ file, offset: bytes.length }, 'the image cannot be decoded: it is cut off');
  if (components === 4) cmykToRgb(pixels);
  return { width, height, data: pixels };
}
