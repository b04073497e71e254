import {
  defineRegularizer,
  discrepancy as discrepancyNamed,
  discrepancyNames,
  type Discrepancy,
  type PerExample,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import { z } from 'zod';
import { chooseSides, pick } from '../inner/sides.js';

/**
 * The discrepancy of the squeezed pair, sides chosen again at the outer logits (Li et al., 2023, Eq. 6; arXiv:2205.11156): a side
 * may turn out to be the natural point, whose logits then get gradient through the regularizer, too.
 */
export const squeezed =
  (measure: Discrepancy): PerExample =>
  ({ z, batch }) => {
    const triplet = [z.natural, z.collaborative, z.adversarial] as const;
    const sides = chooseSides(triplet, batch.labels);
    return measure(pick(sides.lower, triplet), pick(sides.upper, triplet));
  };

export const squeezedPlugin = defineRegularizer({
  name: 'squeeze',
  summary: 'Discrepancy between the least and the most probable of natural, collaborative and adversarial point.',
  cite: 'Li et al., 2023, Eq. 6; arXiv:2205.11156',
  options: {
    discrepancy: z.enum(discrepancyNames).default('symmetric-kl').describe('how far apart two outputs are'),
    detachTarget: onlyWith(
      z.boolean().default(true).describe('symmetric-kl only: the target of each KL term is a constant'),
      { discrepancy: 'symmetric-kl' },
    ),
  },
  create: ({ discrepancy, detachTarget }) => squeezed(discrepancyNamed(discrepancy, { detachTarget })),
});
