// logit-pairing.ts
import { crossEntropy, defineObjective, meanSquared, weight, weighted } from '@bulwark/core';
import { innerSection, pgd } from '@bulwark/objectives';

export const logitPairing = defineObjective({
  name: 'logit-pairing',
  summary: 'Adversarial logit pairing: squared distance of natural and adversarial logits.',
  cite: 'Kannan et al., 2018; arXiv:1803.06373',
  options: { beta: weight(0.5, 'the pairing'), inner: innerSection({ start: 'uniform', mode: 'eval' }) },
  create: ({ beta, inner }) => ({
    points: pgd(inner),
    loss: {
      classification: ({ z, y }) => crossEntropy(z.adversarial, y),
      pairing: weighted(beta, ({ z }) => meanSquared(z.natural, z.adversarial)),
    },
  }),
});
