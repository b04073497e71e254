/** One image, channels last, in [0, 1], changed in place. */
export interface Image {
  readonly pixels: Float32Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

const clip = (value: number) => Math.min(1, Math.max(0, value));

/** `other + strength (pixel - other)` for every pixel: 0 gives the other image, 1 the image itself, more exaggerates. */
function blend({ pixels }: Image, other: (at: number) => number, strength: number): void {
  const values = pixels.map((_, at) => other(at));
  values.forEach((value, at) => (pixels[at] = clip(value + strength * (pixels[at]! - value))));
}

/** Brightness of the pixel that a value belongs to; ITU-R 601, as torchvision has it. */
function grey({ pixels, channels }: Image, at: number): number {
  if (channels !== 3) return pixels[at]!;
  const from = at - (at % 3);
  return 0.2989 * pixels[from]! + 0.587 * pixels[from + 1]! + 0.114 * pixels[from + 2]!;
}

/** Away from or towards black. */
export const brightness = (image: Image, strength: number): void => blend(image, () => 0, strength);

/** Away from or towards the image without colour; nothing happens to grey images. */
export const saturation = (image: Image, strength: number): void => {
  if (image.channels === 3) blend(image, (at) => grey(image, at), strength);
};

/** Away from or towards the mean brightness. */
export function contrast(image: Image, strength: number): void {
  const { length } = image.pixels;
  let sum = 0;
  for (let at = 0; at < length; at++) sum += grey(image, at);
  blend(image, () => sum / length, strength);
}

/** Away from or towards the image smoothed by 3x3 pixels, the middle counting fivefold; the border stays. */
export function sharpness(image: Image, strength: number): void {
  const { pixels, height, width, channels } = image;
  const smooth = (at: number): number => {
    const place = Math.floor(at / channels);
    const [y, x] = [Math.floor(place / width), place % width];
    if (y === 0 || x === 0 || y === height - 1 || x === width - 1) return pixels[at]!;
    let sum = 4 * pixels[at]!;
    for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) sum += pixels[at + (dy * width + dx) * channels]!;
    return sum / 13;
  };
  blend(image, smooth, strength);
}

/** Stretches each channel to the whole range; a channel of one value stays. */
export function autocontrast({ pixels, channels }: Image): void {
  for (let c = 0; c < channels; c++) {
    let [low, high] = [1, 0];
    for (let at = c; at < pixels.length; at += channels) {
      low = Math.min(low, pixels[at]!);
      high = Math.max(high, pixels[at]!);
    }
    for (let at = c; at < pixels.length && high > low; at += channels) pixels[at] = (pixels[at]! - low) / (high - low);
  }
}

/** Makes the 256 levels of each channel about equally frequent, as Pillow does. */
export function equalize({ pixels, channels }: Image): void {
  for (let c = 0; c < channels; c++) {
    const level = (at: number) => Math.round(255 * pixels[at]!);
    const counts = new Array<number>(256).fill(0);
    for (let at = c; at < pixels.length; at += channels) counts[level(at)]!++;
    const last = counts.findLastIndex((count) => count > 0);
    const step = Math.floor((pixels.length / channels - counts[last]!) / 255);
    if (step === 0) continue;
    let below = Math.floor(step / 2);
    const table = counts.map((count) => {
      const value = Math.min(255, Math.floor(below / step));
      below += count;
      return value;
    });
    for (let at = c; at < pixels.length; at += channels) pixels[at] = table[level(at)]! / 255;
  }
}

/** Takes each pixel from the nearest place that a linear map about the centre gives, black from outside. */
export function moved(
  { pixels, height, width, channels }: Image,
  [a, b, c, d]: readonly [number, number, number, number],
): void {
  const before = pixels.slice();
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = [a * (x - middleX) + b * (y - middleY), c * (x - middleX) + d * (y - middleY)];
      const [sx, sy] = [Math.round(fromX + middleX), Math.round(fromY + middleY)];
      const inside = sx >= 0 && sx < width && sy >= 0 && sy < height;
      for (let k = 0; k < channels; k++)
        pixels[(y * width + x) * channels + k] = inside ? before[(sy * width + sx) * channels + k]! : 0;
    }
}
