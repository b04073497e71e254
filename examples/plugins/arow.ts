import {
  crossEntropy,
  defineObjective,
  discrepancy,
  number,
  oneHotLabels,
  trueClassProbability,
  type Classification,
  type Regularizer,
} from '@bulwark/core';
import { assemble, betaOption, innerSection, onDiscrepancyToNatural, pgd } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';

const kl = discrepancy('kl');

/** Cross-entropy with labels `(1 - smoothing) y + smoothing / classes`; 0 where there is no label. */
const smoothed = (smoothing: number): Classification => ({
  needs: ['natural'],
  loss({ logits, batch, classes }) {
    const labelled = tf.cast(tf.greaterEqual(batch.labels, 0), 'float32');
    const hard = batch.targets ?? oneHotLabels(batch.labels, classes);
    const even = tf.mul(smoothing / classes, tf.reshape(labelled, [-1, 1]));
    return crossEntropy(logits('natural'), tf.add(tf.mul(1 - smoothing, hard), even) as tf.Tensor2D);
  },
});

/** `KL(x, x') (1 - p_y(x'))`: more where the adversarial point is already wrong; gradient flows through the weight, too. */
const antiRobust: Regularizer = {
  needs: ['natural', 'adversarial'],
  penalty({ logits, batch }) {
    const weight = tf.sub(1, trueClassProbability(logits('adversarial'), batch.labels));
    return tf.mul(weight, kl(logits('natural'), logits('adversarial'))) as tf.Tensor1D;
  },
};

/** Anti-robust weighted regularization: TRADES whose KL counts more for less robust examples. */
export const arow = defineObjective({
  name: 'arow',
  summary: 'TRADES with label smoothing and a KL weighted by how wrong the adversarial point is.',
  cite: 'Yang et al., 2023, Eq. 8 (ICML 2023); arXiv:2206.03353',
  options: {
    beta: betaOption(7),
    smoothing: number({ min: 0, max: 1 }).default(0.2).describe('share of the label that is spread over all classes'),
    inner: innerSection({ start: 'uniform', mode: 'eval' }),
  },
  create: ({ beta, smoothing, inner }) =>
    assemble({
      inner: pgd({ ...inner, role: 'adversarial', goal: onDiscrepancyToNatural(kl) }),
      classification: smoothed(smoothing),
      regularizer: antiRobust,
      beta,
      passes: ['natural', 'adversarial'],
    }),
});
