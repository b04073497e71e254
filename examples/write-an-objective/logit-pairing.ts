// logit-pairing.ts
import { crossEntropy, defineObjective, number, passes } from '@bulwark/core';
import { innerSection, onCrossEntropy, pgd } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';

export const logitPairing = defineObjective({
  name: 'logit-pairing',
  summary: 'Adversarial logit pairing: squared distance of natural and adversarial logits.',
  cite: 'Kannan et al., 2018; arXiv:1803.06373',
  options: {
    beta: number({ min: 0 }).default(0.5).describe('weight of the pairing term'),
    inner: innerSection({ start: 'uniform', mode: 'eval' }),
  },
  create: ({ beta, inner }) => ({
    inner: pgd({ ...inner, role: 'adversarial', goal: onCrossEntropy }),
    passes: passes(['natural', 'adversarial']),
    terms: [
      {
        name: 'classification',
        weight: 1,
        over: 'labelled',
        needs: ['adversarial'],
        values: ({ logits, y }) => crossEntropy(logits('adversarial'), y),
      },
      {
        name: 'pairing',
        weight: beta,
        over: 'all',
        needs: ['natural', 'adversarial'],
        values: ({ logits }) =>
          tf.mean(tf.squaredDifference(logits('natural'), logits('adversarial')), 1) as tf.Tensor1D,
      },
    ],
  }),
});
