import { z } from 'zod';
import type { Attack } from '../../hooks/index.js';
import { defineAttack, integer, number } from '../../plugins/index.js';
import { squareRecipe } from '../recipe.js';
import { square, type SquareOptions } from './search.js';

/** The attack with these options, as AutoAttack uses it. */
export const squareAttack = (options: SquareOptions): Attack => ({
  label: options.queries === squareRecipe.queries ? 'square' : `square-${options.queries}`,
  settings: { ...options },
  run: (images, labels, context) => square({ images, labels }, options, context),
});

/** As in AutoAttack, one window and one set of signs serves all images of a batch; the first paper draws them per image. */
export const squarePlugin = defineAttack({
  name: 'square',
  summary: 'Square attack: random search with square patches; needs no gradients.',
  cite: 'Andriushchenko et al., 2020, Algorithms 1 to 3; arXiv:1912.00049',
  options: {
    queries: integer({ min: 1 }).default(squareRecipe.queries).describe('Forward passes per image at most'),
    initialShare: number({ above: 0, max: 1 })
      .default(squareRecipe.initialShare)
      .describe('First share of the pixels that a square covers'),
    loss: z.enum(['margin', 'ce']).default(squareRecipe.loss).describe('What the search lowers'),
    rescale: z
      .boolean()
      .default(squareRecipe.rescale)
      .describe('Stretch the schedule of sizes to the number of queries'),
  },
  create: squareAttack,
});
