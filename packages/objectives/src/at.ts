import { defineObjective } from '@bulwark/core';
import { doubt } from '@bulwark/core/plugins';
import { z } from 'zod';
import { examineStart } from './inner/examine.js';
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
  examine: ({ inner, riceBookkeeping }) => [
    ...examineStart(inner),
    ...(riceBookkeeping && inner.mode !== 'train'
      ? [
          doubt(
            `riceBookkeeping is true, and inner.mode is ${inner.mode}: the attack's passes leave the running statistics alone, which the bookkeeping is about`,
            'set inner.mode to train',
          ),
        ]
      : []),
  ],
  create: ({ inner, riceBookkeeping, passes }) => ({
    points: pgd({ ...inner, evaluateLast: riceBookkeeping }),
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
    ...(riceBookkeeping && { passesAfter: ['natural'] }),
  }),
});
