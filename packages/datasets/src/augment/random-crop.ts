import { defineAugmentation, integer } from '@bulwark/core';
import { z } from 'zod';

/**
 * Pads every side, then cuts the image out again at a random place.
 * Draws for each image in order: the top, then the left offset, each an integer in [0, 2 padding].
 */
export const randomCrop = defineAugmentation({
  name: 'random-crop',
  summary: 'Shifts each image by up to `padding` pixels; what comes in is zero or the mirrored border.',
  options: {
    padding: integer({ min: 0 }).default(4).describe('pixels added on every side before the cut'),
    fill: z
      .enum(['zero', 'reflect'])
      .default('zero')
      .describe('what the padding holds (reflect: without repeating the border pixel)'),
  },
  create: ({ padding, fill }) => ({
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const size = height * width * channels;
      const original = new Float32Array(size);
      for (let start = 0; start < batch.pixels.length; start += size) {
        const top = random.integer(2 * padding + 1) - padding;
        const left = random.integer(2 * padding + 1) - padding;
        original.set(batch.pixels.subarray(start, start + size));
        let to = start;
        for (let y = 0; y < height; y++) {
          const fromY = fill === 'reflect' ? mirrored(y + top, height) : y + top;
          for (let x = 0; x < width; x++) {
            const fromX = fill === 'reflect' ? mirrored(x + left, width) : x + left;
            const inside = fromY >= 0 && fromY < height && fromX >= 0 && fromX < width;
            const from = (fromY * width + fromX) * channels;
            for (let c = 0; c < channels; c++) batch.pixels[to++] = inside ? original[from + c]! : 0;
          }
        }
      }
      return batch;
    },
  }),
});

/** Reflection at both borders: -1 -> 1, n -> n - 2; periodic, so that any padding is allowed. */
function mirrored(position: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const inPeriod = ((position % period) + period) % period;
  return inPeriod < n ? inPeriod : period - inPeriod;
}
