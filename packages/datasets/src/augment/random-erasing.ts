import { defineAugmentation, number } from '@bulwark/core';
import { contradiction } from '@bulwark/core/plugins';
import { withDrawn } from '@bulwark/core/hooks';

/** Tries at a box that fits before the image is left alone, as in torchvision. */
const tries = 10;

/**
 * Sets a random box of an image to zero, as torchvision's RandomErasing.
 * Draws for each image in order: one number for `probability`; if it is erased, up to ten times area and logarithm of the side ratio, until the box fits,
 * then its top and left.
 */
export const randomErasing = defineAugmentation({
  name: 'random-erasing',
  summary: 'Sets a random box of each image to zero with a probability; part of IDBH.',
  cite: 'Zhong et al., 2020, Algorithm 1; arXiv:1708.04896',
  options: {
    probability: number({ min: 0, max: 1 }).default(0.5).describe('of erasing in an image'),
    least: number({ above: 0, max: 1 }).default(0.02).describe('smallest share of the area'),
    most: number({ above: 0, max: 1 }).default(0.33).describe('largest share of the area'),
    ratio: number({ min: 1 }).default(3.3).describe('largest height over width, and width over height'),
  },
  examine: ({ least, most }) =>
    least > most ? [contradiction(`least is ${least}, and most is ${most}`, 'set most to least or above')] : [],
  create: ({ probability, least, most, ratio }) => ({
    apply(batch, random) {
      const [height, width, channels] = batch.shape;
      const count = batch.labels.length;
      const area = new Float32Array(count);
      for (let i = 0; i < count; i++) {
        if (random.next() >= probability) continue;
        for (let attempt = 0; attempt < tries; attempt++) {
          const wanted = height * width * (least + (most - least) * random.next());
          const sides = Math.exp(Math.log(ratio) * (2 * random.next() - 1));
          const [h, w] = [Math.round(Math.sqrt(wanted * sides)), Math.round(Math.sqrt(wanted / sides))];
          if (h >= height || w >= width) continue;
          const [top, left] = [random.integer(height - h + 1), random.integer(width - w + 1)];
          for (let y = top; y < top + h; y++) {
            const row = ((i * height + y) * width + left) * channels;
            batch.pixels.fill(0, row, row + w * channels);
          }
          area[i] = (h * w) / (height * width);
          break;
        }
      }
      return withDrawn(batch, 'random-erasing', { area });
    },
  }),
});
