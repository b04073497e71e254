import {
  defineObjective,
  discrepancy,
  logSoftmax,
  number,
  oneHotLabels,
  strongestWrongClass,
  withoutGradient,
  type Objective,
  type Term,
  type Views,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { onCrossEntropy, onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { assemble, betaOption } from './terms/assemble.js';
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

/** The method that the weights are put into; which of its terms they are put at. */
function baseOf({ base, beta, inner }: MailOptions): {
  objective: Objective;
  weighted: 'classification' | 'regularizer';
} {
  const kl = discrepancy('kl');
  const attack = (goal: typeof onCrossEntropy) => pgd({ ...inner, role: 'adversarial', goal });
  switch (base) {
    case 'at': {
      const classification = crossEntropyAt('adversarial');
      const objective = assemble({ inner: attack(onCrossEntropy), classification, passes: ['adversarial'] });
      return { objective, weighted: 'classification' };
    }
    case 'trades': {
      const objective = assemble({
        inner: attack(onDiscrepancyToNatural(kl)),
        classification: crossEntropyAt('natural'),
        regularizer: between('natural', 'adversarial', kl),
        beta,
        passes: ['natural', 'adversarial'],
      });
      return { objective, weighted: 'regularizer' };
    }
    case 'mart': {
      const objective = assemble({
        inner: attack(onCrossEntropy),
        classification: boostedCrossEntropyAt('adversarial'),
        regularizer: weightedKl('adversarial'),
        beta,
        passes: ['natural', 'adversarial'],
      });
      return { objective, weighted: 'classification' };
    }
  }
}

/** Margin-aware instance reweighting: examples near or beyond the decision boundary weigh more. */
export const mail = defineObjective({
  name: 'mail',
  summary: 'AT, TRADES or MART with examples weighted by their probabilistic margin at the adversarial point.',
  cite: 'Liu et al., 2021, section 4; arXiv:2106.07904',
  options: {
    base: z.enum(['at', 'trades', 'mart']).default('at').describe('the method whose robust term is weighted'),
    beta: betaOption(5),
    slope: number({ min: 0 }).default(10).describe('how sharply weights rise with the margin; 2 for TRADES'),
    bias: number().default(-0.5).describe('added to the margin; 0 for TRADES'),
    burnIn: number({ min: 0, max: 1 })
      .default(76 / 120)
      .describe('share of the epochs, from the first, with equal weights'),
    inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: 0.007 }),
  },
  create(options) {
    const { objective, weighted } = baseOf(options);
    const weights = ({ logits, batch, epoch, epochs }: Views) =>
      epoch < options.burnIn * epochs
        ? tf.ones([batch.labels.size])
        : marginWeights(probabilisticMargin(logits('adversarial'), batch.labels), options);
    const reweighed = (term: Term): Term => ({
      ...term,
      values: (views) => tf.mul(weights(views), term.values(views)) as tf.Tensor1D,
    });
    return {
      ...objective,
      terms: objective.terms.map((term) => (term.name === weighted ? reweighed(term) : term)),
    };
  },
});
