import { defineAugmentation, number } from '@bulwark/core';
import { withDrawn } from '@bulwark/core/hooks';

/** Mirrors left and right. Draws one number for each image in order; it is mirrored if that is below `probability`. */
export const horizontalFlip = defineAugmentation({
  name: 'horizontal-flip',
  summary: 'Mirrors each image left to right with a probability.',
  options: { probability: number({ min: 0, max: 1 }).default(0.5).describe('of mirroring an image') },
  create: ({ probability }) => ({
    drawsPerImage: 1,
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const row = width * channels;
      const { pixels } = batch;
      const mirrored = new Int32Array(batch.labels.length);
      for (let i = 0; i < mirrored.length; i++) {
        if (random.next() >= probability) continue;
        mirrored[i] = 1;
        const start = i * height * row;
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
      return withDrawn(batch, 'horizontal-flip', { mirrored });
    },
  }),
});
