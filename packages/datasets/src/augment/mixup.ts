import { defineAugmentation, number } from '@bulwark/core';
import { withDrawn } from '@bulwark/core/hooks';
import { mixDraws, mixTargets, symmetricBeta } from './mix-targets.js';

/**
 * x = share x_i + (1 - share) x_j, targets likewise (Eq. 1). One share for the batch, as in the authors' code.
 * Draws: the share from Beta(alpha, alpha), then one permutation of the batch.
 */
export const mixup = defineAugmentation({
  name: 'mixup',
  summary: 'Mixes each image and its target with those of another image of the batch.',
  cite: 'Zhang, Cisse, Dauphin, Lopez-Paz, 2018, Eq. 1; arXiv:1710.09412',
  options: { alpha: number({ above: 0 }).default(1).describe('of Beta(alpha, alpha), from which the share is drawn') },
  create: ({ alpha }) => ({
    apply(batch, random) {
      const share = symmetricBeta(random, alpha);
      const partner = random.permutation(batch.labels.length);
      const size = batch.pixels.length / batch.labels.length;
      const pixels = new Float32Array(batch.pixels.length);
      for (let i = 0; i < partner.length; i++)
        for (let j = 0, own = i * size, other = partner[i]! * size; j < size; j++, own++, other++)
          pixels[own] = share * batch.pixels[own]! + (1 - share) * batch.pixels[other]!;
      const mixed = { ...batch, pixels, ...mixTargets(batch, { partner, share, by: 'mixup' }) };
      return withDrawn(mixed, 'mixup', mixDraws(batch, { partner, share }));
    },
  }),
});
