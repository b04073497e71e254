import { defineObjective, weight, weighted } from '@bulwark/core';
import { examineInner } from './inner/examine.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { boostedCrossEntropyAt, weightedKl } from './terms/mart.js';
import { passesOption } from './terms/passes-option.js';

/**
 * MART: `BCE(x') + beta KL(x, x') (1 - p_y(x))`. Its attack climbs cross-entropy from a gaussian start; no clean
 * cross-entropy, gradient through everything.
 */
export const mart = defineObjective({
  name: 'mart',
  summary: 'Boosted cross-entropy at PGD examples plus a KL weighted by misclassification.',
  cite: 'Wang et al., 2020, section 3 (ICLR 2020, OpenReview rklOg6EFwS)',
  options: {
    beta: weight(5),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
    passes: passesOption(),
  },
  examine: examineInner(),
  create: ({ beta, inner, passes }) => ({
    points: pgd(inner),
    loss: {
      classification: boostedCrossEntropyAt('adversarial'),
      regularizer: weighted(beta, weightedKl('adversarial')),
    },
    passes,
  }),
});
