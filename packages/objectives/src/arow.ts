import { defineObjective, kl, logSoftmax, weight, type PerExample } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineInner } from './inner/examine.js';
import { onCrossEntropy, onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';
import { smoothingOption } from './terms/smoothing.js';

/** Keeps the logarithm finite; the authors' constant. */
const tiny = 1e-12;

/** `KL(p(x) || p(x')) (1 - p_y(x'))`: more where the adversarial point is already wrong; gradient flows through the weight, too. */
const antiRobust: PerExample = ({ z, y }) => {
  const logP = logSoftmax(z.natural);
  const q = tf.exp(logSoftmax(z.adversarial));
  const divergence = tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, tf.log(tf.add(q, tiny)))), 1);
  return tf.mul(tf.sub(1, tf.sum(tf.mul(q, y), 1)), divergence) as tf.Tensor1D;
};

/** Anti-robust weighted regularization: TRADES whose KL counts more for less robust examples. */
export const arow = defineObjective({
  name: 'arow',
  summary: 'TRADES with label smoothing and a KL weighted by how wrong the adversarial point is.',
  cite: 'Yang et al., 2023, Eq. 8 (ICML 2023); arXiv:2206.03353',
  options: {
    beta: weight(7),
    smoothing: smoothingOption(0.2),
    goal: z
      .enum(['kl', 'cross-entropy'])
      .default('kl')
      .describe('what the attack climbs: the KL to the natural output, or cross-entropy with the label'),
    inner: innerSection({ start: 'uniform', mode: 'eval' }),
    passes: passesOption(),
  },
  examine: examineInner(({ goal }) => goal === 'kl'),
  create: ({ beta, smoothing, goal, inner, passes }) => ({
    points: pgd({ ...inner, goal: goal === 'kl' ? onDiscrepancyToNatural(kl) : onCrossEntropy }),
    loss: {
      classification: crossEntropyAt('natural', smoothing),
      // an example without a label is regularized with weight 1
      regularizer: { weight: beta, values: antiRobust, over: 'all' },
    },
    passes,
  }),
});
