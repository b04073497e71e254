import { corrupt } from '../../corrupt.js';

/** Decoded pixels, 8 bits of red, green, blue and alpha each. */
export interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** No image of a training set is larger; a header that claims more is damaged or hostile. */
const maxPixels = 4096 * 4096;

/** Refuses an image whose header claims too much, before anything is allocated for it. */
export function checkSize(width: number, height: number, place: { file: string; offset?: number }): void {
  if (!(width > 0 && height > 0)) throw corrupt(place, `an image of ${width}x${height} pixels`);
  if (width * height > maxPixels)
    throw corrupt(place, `${width}x${height} pixels; at most ${maxPixels} are read`, {
      hint: 'scale the images down before training',
    });
}
