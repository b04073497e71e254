import { defineAttack, integer, pixelLength } from '../plugins/index.js';
import { fixedStepAttack } from './fixed-step.js';

/**
 * PGD on the margin. As in the Squeeze Training code there is no confidence clamp: the loss keeps growing once an example is
 * misclassified, and the runner-up class is chosen anew at every step.
 */
export const cwLinf = defineAttack({
  name: 'cw-linf',
  summary: 'PGD on the Carlini-Wagner margin loss, as robustness papers report it (C&W-inf).',
  cite: 'Carlini and Wagner, 2017, objective f6; arXiv:1608.04644; optimised by PGD as in Madry et al., 2018',
  options: {
    steps: integer({ min: 1 }).default(100).describe('Gradient steps'),
    stepSize: pixelLength({ above: 0 })
      .optional()
      .describe('Length of a step in the norm; default a quarter of epsilon, which is 2/255 at 8/255'),
  },
  create: ({ steps, stepSize }) => ({
    label: `cw-linf-${steps}`,
    settings: { steps, stepSize },
    run: (images, labels, context) =>
      fixedStepAttack(
        { images, labels },
        { loss: 'margin', steps, stepSize: stepSize ?? context.threat.epsilon / 4, start: 'random' },
        context,
      ),
  }),
});
