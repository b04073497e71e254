import { defineAttack, integer, pixelLength } from '../plugins/index.js';
import { fixedStepAttack } from './fixed-step.js';

/** The loop from the image itself: PGD without a random start. */
export const iterativeFgsm = defineAttack({
  name: 'i-fgsm',
  summary: 'Iterative FGSM (BIM): steps of the gradient sign from the image, projected onto the ball.',
  cite: 'Kurakin et al., 2017, section 2.2; arXiv:1607.02533',
  options: {
    steps: integer({ min: 1 }).default(10).describe('Gradient steps'),
    stepSize: pixelLength({ above: 0 })
      .optional()
      .describe('Length of a step in the norm; default a quarter of epsilon, which is 2/255 at 8/255'),
  },
  create: ({ steps, stepSize }) => ({
    label: `i-fgsm-${steps}`,
    settings: { steps, stepSize },
    run: (images, labels, context) =>
      fixedStepAttack(
        { images, labels },
        { loss: 'ce', steps, stepSize: stepSize ?? context.threat.epsilon / 4, start: 'image' },
        context,
      ),
  }),
});
