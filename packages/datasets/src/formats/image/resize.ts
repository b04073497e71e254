import type { ImageShape } from '@bulwark/core';

/** Weights of the input pixels that make an output pixel: a triangle, as wide as the output pixel is in the input. */
function triangle(inputs: number, outputs: number): { from: number; weights: number[] }[] {
  const scale = inputs / outputs;
  const reach = Math.max(1, scale);
  return Array.from({ length: outputs }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - reach + 0.5));
    const to = Math.min(inputs, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: to - from }, (_unused, k) =>
      Math.max(0, 1 - Math.abs(from + k + 0.5 - centre) / reach),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { from, weights: raw.map((weight) => weight / sum) };
  });
}

const byte = (value: number) => Math.min(255, Math.max(0, Math.floor(value + 0.5)));

interface Image {
  readonly data: Uint8Array;
  readonly shape: ImageShape;
}

/** Bilinear with antialiasing, rows first and bytes between, as Pillow and torchvision resize images. */
export function resizeImage({ data, shape }: Image, height: number, width: number): Image {
  const [rows, columns, channels] = shape;
  const across = new Uint8Array(rows * width * channels);
  triangle(columns, width).forEach(({ from, weights }, x) => {
    for (let y = 0; y < rows; y++)
      for (let c = 0; c < channels; c++)
        across[(y * width + x) * channels + c] = byte(
          weights.reduce((sum, weight, k) => sum + weight * data[(y * columns + from + k) * channels + c]!, 0),
        );
  });
  const result = new Uint8Array(height * width * channels);
  triangle(rows, height).forEach(({ from, weights }, y) => {
    for (let i = 0; i < width * channels; i++)
      result[y * width * channels + i] = byte(
        weights.reduce((sum, weight, k) => sum + weight * across[(from + k) * width * channels + i]!, 0),
      );
  });
  return { data: result, shape: [height, width, channels] };
}

/** A square of this side: the shorter side is resized to it, and the middle is kept, as torchvision's `Resize` and `CenterCrop` do. */
export function squareImage(image: Image, side: number): Image {
  const [rows, columns, channels] = image.shape;
  if (rows === side && columns === side) return image;
  const shorter = Math.min(rows, columns);
  const [height, width] = [rows, columns].map((n) => (n === shorter ? side : Math.trunc((n * side) / shorter))) as [
    number,
    number,
  ];
  const whole = resizeImage(image, height, width);
  const [top, left] = [Math.round((height - side) / 2), Math.round((width - side) / 2)];
  const data = new Uint8Array(side * side * channels);
  for (let y = 0; y < side; y++) {
    const start = ((top + y) * width + left) * channels;
    data.set(whole.data.subarray(start, start + side * channels), y * side * channels);
  }
  return { data, shape: [side, side, channels] };
}
