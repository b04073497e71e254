import { defineAugmentation, integer, type RawBatch } from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import { withDrawn } from '@bulwark/core/hooks';
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
    fill: onlyWith(
      z
        .enum(['zero', 'reflect'])
        .default('zero')
        .describe('what the padding holds (reflect: without repeating the border pixel)'),
      { words: 'padding above 0', holds: ({ padding }) => padding !== 0 },
    ),
  },
  create: ({ padding, fill }) => ({
    drawsPerImage: 2,
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const row = width * channels;
      const size = height * row;
      const paddedRow = row + 2 * padding * channels;
      // its border stays zero; only its inside is written, image after image
      const padded = new Float32Array((height + 2 * padding) * paddedRow);
      const count = batch.labels.length;
      const offsets = { top: new Int32Array(count), left: new Int32Array(count) };
      for (let i = 0; i < count; i++) {
        const start = i * size;
        const top = random.integer(2 * padding + 1);
        const left = random.integer(2 * padding + 1);
        offsets.top[i] = top - padding;
        offsets.left[i] = left - padding;
        for (let y = 0; y < height; y++) {
          const from = start + y * row;
          padded.set(batch.pixels.subarray(from, from + row), (y + padding) * paddedRow + padding * channels);
        }
        if (fill === 'reflect') reflectBorder(padded, batch.shape, padding);
        for (let y = 0; y < height; y++) {
          const from = (y + top) * paddedRow + left * channels;
          batch.pixels.set(padded.subarray(from, from + row), start + y * row);
        }
      }
      return withDrawn(batch, 'random-crop', offsets);
    },
  }),
});

/** Fills the border of a padded image with its mirrored inside: first the columns, then whole rows. */
function reflectBorder(padded: Float32Array, [height, width, channels]: RawBatch['shape'], padding: number): void {
  const paddedWidth = width + 2 * padding;
  for (let y = padding; y < padding + height; y++)
    for (let x = 0; x < paddedWidth; x++) {
      const from = (y * paddedWidth + padding + mirrored(x - padding, width)) * channels;
      if (x < padding || x >= padding + width)
        padded.copyWithin((y * paddedWidth + x) * channels, from, from + channels);
    }
  for (let y = 0; y < height + 2 * padding; y++) {
    const from = (padding + mirrored(y - padding, height)) * paddedWidth * channels;
    if (y < padding || y >= padding + height)
      padded.copyWithin(y * paddedWidth * channels, from, from + paddedWidth * channels);
  }
}

/** Reflection at both borders: -1 -> 1, n -> n - 2; periodic, so that any padding is allowed. */
function mirrored(position: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const inPeriod = ((position % period) + period) % period;
  return inPeriod < n ? inPeriod : period - inPeriod;
}
