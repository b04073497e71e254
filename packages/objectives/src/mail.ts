import {
  defineObjective,
  kl,
  logSoftmax,
  number,
  oneHotLabels,
  strongestWrongClass,
  weight,
  weighted,
  withoutGradient,
  type ObjectiveForm,
  type PerExample,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineBurnIn, examineStart } from './inner/examine.js';
import { onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { boostedCrossEntropyAt, weightedKl } from './terms/mart.js';

/** The authors' factor on all weights. */
const scale = 3;

/**
 * The probabilistic margin `max_{j != y} p_j - p_y`, per example in [-1, 1]: positive where the example is misclassified. Constant.
 * @param logits `[batch, classes]` float32
 * @param labels `[batch]` int32
 */
export const probabilisticMargin = (logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D =>
  withoutGradient((given) => {
    const p = tf.exp(logSoftmax(given as tf.Tensor2D));
    const at = (index: tf.Tensor1D) => tf.sum(tf.mul(p, oneHotLabels(index, logits.shape[1])), 1);
    return tf.sub(at(strongestWrongClass(given as tf.Tensor2D, labels)), at(labels)) as tf.Tensor1D;
  }, logits);

/** Weights by the margin at the adversarial outputs, `3 sigmoid(slope (margin + bias))`. Constant. */
export const marginWeights = (margin: tf.Tensor1D, { slope, bias }: { slope: number; bias: number }): tf.Tensor1D =>
  tf.mul(scale, tf.sigmoid(tf.mul(slope, tf.add(margin, bias))));

interface MailOptions {
  readonly base: 'at' | 'trades' | 'mart';
  readonly beta: number;
  readonly slope: number;
  readonly bias: number;
  readonly burnIn: number;
  readonly inner: InnerSettings;
}

/** Values times the weights by margin, once the burn-in is over. */
const reweighed =
  (options: MailOptions, values: PerExample): PerExample =>
  (views) => {
    const { z, batch, epoch, epochs } = views;
    const weights =
      epoch < options.burnIn * epochs
        ? tf.ones([batch.labels.size])
        : marginWeights(probabilisticMargin(z.adversarial, batch.labels), options);
    return tf.mul(weights, values(views)) as tf.Tensor1D;
  };

/** The base method, with the weights in its robust term. */
const forms: Readonly<Record<MailOptions['base'], (options: MailOptions) => ObjectiveForm>> = {
  at: (options) => ({
    points: pgd(options.inner),
    loss: { classification: reweighed(options, crossEntropyAt('adversarial')) },
  }),
  trades: (options) => ({
    points: pgd({ ...options.inner, goal: onDiscrepancyToNatural(kl) }),
    loss: {
      classification: crossEntropyAt('natural'),
      regularizer: weighted(options.beta, reweighed(options, between('natural', 'adversarial', kl))),
    },
  }),
  mart: (options) => ({
    points: pgd(options.inner),
    loss: {
      classification: reweighed(options, boostedCrossEntropyAt('adversarial')),
      regularizer: weighted(options.beta, weightedKl('adversarial')),
    },
  }),
};

/** Margin-aware instance reweighting: examples near or beyond the decision boundary weigh more. */
export const mail = defineObjective({
  name: 'mail',
  summary: 'AT, TRADES or MART with examples weighted by their probabilistic margin at the adversarial point.',
  cite: 'Liu et al., 2021, section 4; arXiv:2106.07904',
  options: {
    base: z.enum(['at', 'trades', 'mart']).default('at').describe('the method whose robust term is weighted'),
    beta: onlyWith(weight(5), { base: ['trades', 'mart'] }),
    slope: number({ min: 0 }).default(10).describe('how sharply weights rise with the margin; 2 for TRADES'),
    bias: number().default(-0.5).describe('added to the margin; 0 for TRADES'),
    burnIn: number({ min: 0, max: 1 })
      .default(76 / 120)
      .describe('share of the epochs, from the first, with equal weights'),
    inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: 0.007 }),
  },
  examine: ({ base, inner, burnIn }, plan) => [
    ...examineStart(inner, { fromNatural: base === 'trades' }),
    ...examineBurnIn(burnIn, plan),
  ],
  create: (options) => forms[options.base](options),
});
