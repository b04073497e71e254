import { defineAttack } from '../plugins/index.js';
import { fixedStepAttack } from './fixed-step.js';

/** The loop with one step of the whole radius. */
export const fgsm = defineAttack({
  name: 'fgsm',
  summary: 'Fast gradient sign method: one step of size epsilon from the image.',
  cite: 'Goodfellow et al., 2015, section 4; arXiv:1412.6572',
  create: () => ({
    label: 'fgsm',
    run: (images, labels, context) =>
      fixedStepAttack(
        { images, labels },
        { loss: 'ce', steps: 1, stepSize: context.threat.epsilon, start: 'image' },
        context,
      ),
  }),
});
