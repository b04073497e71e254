import { defineObjective, kl, meanSquared, weight, weighted } from '@bulwark/core';
import { examineInner } from './inner/examine.js';
import { onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { modelOption, secondModel } from './teachers.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder } from './terms/passes-option.js';

/**
 * Learnable boundary guided adversarial training: a companion learns the images alone, and the model's logits at x' follow the
 * companion's at x. The squared error has a gradient on both sides, so it pulls the companion, too.
 */
export const lbgat = defineObjective({
  name: 'lbgat',
  summary: 'Logits at the adversarial point follow those of a second model that learns the images along with it.',
  cite: 'Cui et al., 2021, Eq. 5 and 6 (ICCV 2021); arXiv:2011.11164',
  options: {
    companion: modelOption('the second model, trained from scratch by the same optimizer'),
    beta: weight(0),
    inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: 0.007 }),
    passes: passesInOrder(['adversarial', 'natural', 'companion@natural']),
  },
  examine: examineInner(() => true),
  create({ companion: spec, beta, inner, passes }, services) {
    const companion = secondModel({ objective: 'lbgat', part: 'companion' }, spec, services);
    const theirs = 'companion@natural';
    return {
      points: pgd({ ...inner, goal: onDiscrepancyToNatural(kl) }),
      loss: {
        guidance: ({ z }) => meanSquared(z.adversarial, z[theirs]!),
        companion: crossEntropyAt(theirs),
        regularizer: weighted(beta, between('natural', 'adversarial', kl)),
      },
      passes,
      companions: new Map([['companion', companion]]),
      dispose: () => companion.dispose(),
    };
  },
});
