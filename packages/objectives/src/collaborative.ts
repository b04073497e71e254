import { defineObjective, discrepancy as discrepancyNamed, weight, weighted } from '@bulwark/core';
import { examineInner } from './inner/examine.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { discrepancyOptions } from './terms/discrepancy-options.js';
import { passesOption } from './terms/passes-option.js';

/**
 * Training on collaborative examples only: `CE(z(x), y) + beta KL(x, x'')`, where x'' descends the cross-entropy. The paper states
 * steps, step size and epsilon; beta, start and BatchNorm mode follow TRADES here.
 */
export const collaborative = defineObjective({
  name: 'collaborative',
  summary: 'Cross-entropy at natural images plus the discrepancy to collaborative examples.',
  cite: 'Li et al., 2023, Eq. 4 and 5; arXiv:2205.11156',
  options: {
    beta: weight(6),
    ...discrepancyOptions({ discrepancy: 'kl', detachTarget: false }),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
    passes: passesOption(),
  },
  examine: examineInner(),
  create: ({ beta, discrepancy, detachTarget, inner, passes }) => ({
    points: pgd({ ...inner, role: 'collaborative', descend: true }),
    loss: {
      classification: crossEntropyAt('natural'),
      regularizer: weighted(beta, between('natural', 'collaborative', discrepancyNamed(discrepancy, { detachTarget }))),
    },
    passes,
  }),
});
