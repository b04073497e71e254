import {
  defineObjective,
  logSoftmax,
  number,
  oneHotLabels,
  strongestWrongClass,
  withoutGradient,
  type InnerOptimizer,
} from '@bulwark/core';
import { assemble, crossEntropyAt, innerSection, onCrossEntropy, pgd, type InnerSettings } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';

/** PGD that says, per example, whether re-weighting has begun: terms do not know the epoch. */
const withBurnIn = (inner: InnerSettings, burnIn: number): InnerOptimizer => {
  const attack = pgd({ ...inner, role: 'adversarial', goal: onCrossEntropy });
  return {
    ...attack,
    craft(batch, context) {
      const reweigh =
        context.epoch < burnIn * context.epochs ? tf.zeros([batch.labels.size]) : tf.ones([batch.labels.size]);
      return { ...attack.craft(batch, context), facts: { reweigh } };
    },
  };
};

/**
 * Weights by the probabilistic margin `PM = p_y - max_{j != y} p_j`: `sigmoid(-slope (PM - bias))`, scaled to mean 1 over the examples
 * with a label; 1 during the burn-in. `[batch]`, constant.
 */
const marginWeights = (
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  options: { slope: number; bias: number; reweigh: tf.Tensor },
): tf.Tensor1D =>
  withoutGradient((z) => {
    const p = tf.exp(logSoftmax(z as tf.Tensor2D));
    const at = (index: tf.Tensor1D) => tf.sum(tf.mul(p, oneHotLabels(index, logits.shape[1])), 1);
    const margin = tf.sub(at(labels), at(strongestWrongClass(z as tf.Tensor2D, labels)));
    const labelled = tf.cast(tf.greaterEqual(labels, 0), 'float32');
    const raw = tf.mul(labelled, tf.sigmoid(tf.mul(-options.slope, tf.sub(margin, options.bias))));
    const even = tf.divNoNan(tf.mul(raw, tf.sum(labelled)), tf.sum(raw));
    return tf.add(1, tf.mul(options.reweigh, tf.sub(even, 1))) as tf.Tensor1D;
  }, logits);

/** Margin-aware instance reweighting on AT: cross-entropy at x', examples near or beyond the boundary weigh more. */
export const mail = defineObjective({
  name: 'mail',
  summary: 'Adversarial training with examples weighted by their probabilistic margin at the adversarial point.',
  cite: 'Liu et al., 2021, section 4 (MAIL-AT); arXiv:2106.07904',
  options: {
    slope: number({ min: 0 }).default(10).describe('how sharply weights fall with the margin'),
    bias: number().default(0.5).describe('margin at which a weight is half of the largest'),
    burnIn: number({ min: 0, max: 1 })
      .default(0.75)
      .describe('share of the epochs, from the first, with equal weights'),
    inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: 0.007 }),
  },
  create({ slope, bias, burnIn, inner }) {
    const plain = crossEntropyAt('adversarial');
    const loss: typeof plain.loss = (views) => {
      const weights = marginWeights(views.logits('adversarial'), views.batch.labels, {
        slope,
        bias,
        reweigh: views.fact('reweigh'),
      });
      return tf.mul(weights, plain.loss(views)) as tf.Tensor1D;
    };
    return assemble({ inner: withBurnIn(inner, burnIn), classification: { ...plain, loss }, passes: ['adversarial'] });
  },
});
