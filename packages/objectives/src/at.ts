import { defineObjective } from '@bulwark/core';
import { z } from 'zod';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

/**
 * Adversarial training: `CE(z(x'), y)` at the end of projected gradient ascent on the same loss. Authors differ in the attack's
 * BatchNorm mode; `eval` is the default, Rice et al. (2020; arXiv:2002.11569) is `inner.mode: train` with `riceBookkeeping`.
 */
export const at = defineObjective({
  name: 'at',
  summary: 'Adversarial training: cross-entropy at PGD examples.',
  cite: 'Madry et al., 2018, Eq. 2.1; arXiv:1706.06083',
  options: {
    inner: innerSection({ start: 'uniform', mode: 'eval' }),
    riceBookkeeping: z
      .boolean()
      .default(false)
      .describe('one more attack pass at the last point and a clean pass after the update, as Rice et al. make them'),
    passes: passesOption(),
  },
  create: ({ inner, riceBookkeeping, passes }) => ({
    points: pgd({ ...inner, evaluateLast: riceBookkeeping }),
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
    ...(riceBookkeeping && { passesAfter: ['natural'] }),
  }),
});
