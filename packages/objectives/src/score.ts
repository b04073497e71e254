import { defineObjective, discrepancy, logSoftmax, number, type Classification, type Regularizer } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { assemble, betaOption, passesOption } from './terms/assemble.js';
import { between } from './terms/between.js';
import { smoothedOverOthers, smoothingOption } from './terms/smoothing.js';

const squaredDistance = discrepancy('squared-l2');

/** `|p(x) - y|^2`, with labels smoothed over the other classes; 0 where there is no label. */
const squaredError = (smoothing: number): Classification => ({
  needs: ['natural'],
  loss({ logits, y }) {
    const labelled = tf.sum(y, 1);
    const error = tf.sub(tf.exp(logSoftmax(logits('natural'))), smoothedOverOthers(y, smoothing));
    return tf.mul(labelled, tf.sum(tf.square(error), 1)) as tf.Tensor1D;
  },
});

/** `max(0, |p(x') - p(x)|^2 - slack)`, per example. */
const consistency = (slack: number): Regularizer => {
  const { needs, penalty } = between('natural', 'adversarial', squaredDistance);
  return { needs, penalty: (views) => tf.relu(tf.sub(penalty(views), slack)) as tf.Tensor1D };
};

/** SCORE: squared errors of probabilities in place of cross-entropy and KL. */
export const score = defineObjective({
  name: 'score',
  summary: 'Squared distances of probabilities: of the natural output to the label and to the adversarial output.',
  cite: 'Pang et al., 2022, Eq. 12 (ICML 2022); arXiv:2202.10103',
  options: {
    beta: betaOption(4),
    smoothing: smoothingOption(),
    slack: number({ min: 0 }).default(0).describe('squared distance to the adversarial output that costs nothing'),
    inner: innerSection({ start: 'uniform', mode: 'batch' }),
    passes: passesOption(['natural', 'adversarial']),
  },
  create: ({ beta, smoothing, slack, inner, passes }) =>
    assemble({
      inner: pgd({ ...inner, role: 'adversarial', goal: onDiscrepancyToNatural(squaredDistance) }),
      classification: squaredError(smoothing),
      regularizer: consistency(slack),
      beta,
      passes,
    }),
});
