import { defineAugmentation, number } from '@bulwark/core';

/** Mirrors left and right. Draws one number for each image in order; it is mirrored if that is below `probability`. */
export const horizontalFlip = defineAugmentation({
  name: 'horizontal-flip',
  summary: 'Mirrors each image left to right with a probability.',
  options: { probability: number({ min: 0, max: 1 }).default(0.5).describe('of mirroring an image') },
  create: ({ probability }) => ({
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const row = width * channels;
      const { pixels } = batch;
      for (let start = 0; start < pixels.length; start += height * row) {
        if (random.next() >= probability) continue;
        for (let y = 0; y < height; y++) {
          let left = start + y * row;
          for (let right = left + row - channels; left < right; left += channels, right -= channels)
            for (let c = 0; c < channels; c++) {
              const kept = pixels[left + c]!;
              pixels[left + c] = pixels[right + c]!;
              pixels[right + c] = kept;
            }
        }
      }
      return batch;
    },
  }),
});
