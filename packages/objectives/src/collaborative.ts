import { defineObjective, discrepancy as discrepancyNamed } from '@bulwark/core';
import { onCrossEntropy } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { assemble, betaOption, passesOption } from './terms/assemble.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { discrepancyOptions } from './terms/discrepancy-options.js';

/**
 * Training on collaborative examples only: `CE(z(x), y) + beta KL(x, x'')`, where x'' descends the cross-entropy. The paper states
 * steps, step size and epsilon; beta, start and BatchNorm mode follow TRADES here.
 */
export const collaborative = defineObjective({
  name: 'collaborative',
  summary: 'Cross-entropy at natural images plus the discrepancy to collaborative examples.',
  cite: 'Li et al., 2023, Eq. 4 and 5; arXiv:2205.11156',
  options: {
    beta: betaOption(6),
    ...discrepancyOptions({ discrepancy: 'kl', detachTarget: false }),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
    passes: passesOption(['natural', 'collaborative']),
  },
  create: ({ beta, discrepancy, detachTarget, inner, passes }) =>
    assemble({
      inner: pgd({ ...inner, role: 'collaborative', goal: onCrossEntropy, descend: true }),
      classification: crossEntropyAt('natural'),
      regularizer: between('natural', 'collaborative', discrepancyNamed(discrepancy, { detachTarget })),
      beta,
      passes,
    }),
});
