import { defineObjective } from '@bulwark/core';
import { onCrossEntropy } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { assemble, betaOption, passesOption } from './terms/assemble.js';
import { boostedCrossEntropyAt, weightedKl } from './terms/mart.js';

/**
 * MART: `BCE(x') + beta KL(x, x') (1 - p_y(x))`. Its attack climbs cross-entropy from a gaussian start; no clean
 * cross-entropy, gradient through everything.
 */
export const mart = defineObjective({
  name: 'mart',
  summary: 'Boosted cross-entropy at PGD examples plus a KL weighted by misclassification.',
  cite: 'Wang et al., 2020, section 3 (ICLR 2020, OpenReview rklOg6EFwS)',
  options: {
    beta: betaOption(5),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
    passes: passesOption(['natural', 'adversarial']),
  },
  create: ({ beta, inner, passes }) =>
    assemble({
      inner: pgd({ ...inner, role: 'adversarial', goal: onCrossEntropy }),
      classification: boostedCrossEntropyAt('adversarial'),
      regularizer: weightedKl('adversarial'),
      beta,
      passes,
    }),
});
