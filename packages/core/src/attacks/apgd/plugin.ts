import { z } from 'zod';
import { defineAttack, integer, number, onlyWith } from '../../plugins/index.js';
import { apgdRecipe } from '../recipe.js';
import { apgdAttack } from './attack.js';
import { apgdLossNames } from './restarts.js';

export const apgdPlugin = defineAttack({
  name: 'apgd',
  summary:
    'Auto-PGD: no step size to choose; cross-entropy, DLR or margin, targeted or not, in the linf, l2 or l1 ball.',
  cite: 'Croce and Hein, 2020, Algorithm 1; arXiv:2003.01690; l1: Croce and Hein, 2021; arXiv:2103.01208',
  options: {
    loss: z.enum(apgdLossNames).default(apgdRecipe.loss).describe('What the attack maximises'),
    iterations: integer({ min: 1 }).default(apgdRecipe.iterations).describe('Iterations per run'),
    restarts: integer({ min: 1 })
      .default(apgdRecipe.restarts)
      .describe('Runs per example (and target class) while it survives'),
    targets: onlyWith(
      integer({ min: 1 })
        .default(apgdRecipe.targets)
        .describe('Target classes of targeted losses: the next most likely ones'),
      { loss: ['dlr-targeted', 'margin-targeted'] },
    ),
    rho: onlyWith(
      number({ min: 0, max: 1 })
        .default(apgdRecipe.rho)
        .describe('The step size is halved when fewer steps than this share increased the loss'),
      { words: 'the norms linf and l2', holds: (_, plan) => !plan?.threat.norm.sparse },
    ),
    eot: integer({ min: 1 })
      .default(apgdRecipe.eot)
      .describe('Gradients averaged per iteration, for randomised models'),
    largeRadii: onlyWith(
      z.boolean().default(apgdRecipe.largeRadii).describe('l1 only: begin in balls of 3 and 2 epsilon'),
      { words: 'the norm l1', holds: (_, plan) => plan === undefined || plan.threat.norm.sparse },
    ),
  },
  create: apgdAttack,
});
