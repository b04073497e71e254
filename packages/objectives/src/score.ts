import { defineObjective, discrepancy, logSoftmax, number, weight, weighted, type PerExample } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { examineInner } from './inner/examine.js';
import { onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { between } from './terms/between.js';
import { passesOption } from './terms/passes-option.js';
import { smoothedOverOthers, smoothingOption } from './terms/smoothing.js';

const squaredDistance = discrepancy('squared-l2');

/** `|p(x) - y|^2`, with labels smoothed over the other classes; 0 where there is no label. */
const squaredError =
  (smoothing: number): PerExample =>
  ({ z, y }) => {
    const labelled = tf.sum(y, 1);
    const error = tf.sub(tf.exp(logSoftmax(z.natural)), smoothedOverOthers(y, smoothing));
    return tf.mul(labelled, tf.sum(tf.square(error), 1)) as tf.Tensor1D;
  };

/** `max(0, |p(x') - p(x)|^2 - slack)`, per example. */
const consistency =
  (slack: number): PerExample =>
  (views) =>
    tf.relu(tf.sub(between('natural', 'adversarial', squaredDistance)(views), slack)) as tf.Tensor1D;

/** SCORE: squared errors of probabilities in place of cross-entropy and KL. */
export const score = defineObjective({
  name: 'score',
  summary: 'Squared distances of probabilities: of the natural output to the label and to the adversarial output.',
  cite: 'Pang et al., 2022, Eq. 12 (ICML 2022); arXiv:2202.10103',
  options: {
    beta: weight(4),
    smoothing: smoothingOption(),
    slack: number({ min: 0 }).default(0).describe('squared distance to the adversarial output that costs nothing'),
    inner: innerSection({ start: 'uniform', mode: 'batch' }),
    passes: passesOption(),
  },
  examine: examineInner(() => true),
  create: ({ beta, smoothing, slack, inner, passes }) => ({
    points: pgd({ ...inner, goal: onDiscrepancyToNatural(squaredDistance) }),
    loss: { classification: squaredError(smoothing), regularizer: weighted(beta, consistency(slack)) },
    passes,
  }),
});
