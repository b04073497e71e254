import {
  BulwarkError,
  crossEntropy,
  defineClassification,
  defineRegularizer,
  logSoftmax,
  oneHotLabels,
  strongestWrongClass,
  trueClassProbability,
  type PerExample,
  type Role,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { smoothed, smoothingOption } from './smoothing.js';

/** Constants of the authors' code; each keeps a logarithm or a weight away from 0. */
const aboveOne = 1.0001;
const tiny = 1e-12;
const weightCeiling = 1.0000001;

const atClass = (values: tf.Tensor2D, index: tf.Tensor1D) =>
  tf.sum(tf.mul(values, oneHotLabels(index, values.shape[1])), 1);

/**
 * Boosted cross-entropy of MART (Wang et al., 2020, section 3): `-log p_y - log(1 - max_{k != y} p_k)`, the second logarithm taken
 * of `1.0001 - p_k + 1e-12`. The class k is a constant. 0 where there is no label.
 */
export const boostedCrossEntropyAt =
  (role: Role, smoothing = 0): PerExample =>
  ({ z, batch, y, classes }) => {
    if (classes < 2)
      throw new BulwarkError(
        'MODEL_INVALID',
        `the boosted cross-entropy needs a wrong class; the model has ${classes} class`,
        { hint: 'use at least 2 classes, or cross-entropy' },
      );
    const logits = z[role]!;
    const wrong = atClass(tf.exp(logSoftmax(logits)), strongestWrongClass(logits, batch.labels));
    const push = tf.neg(tf.log(tf.add(tf.sub(aboveOne, wrong), tiny)));
    const labelled = tf.cast(tf.greaterEqual(batch.labels, 0), 'float32');
    return tf.add(crossEntropy(logits, smoothed(y, smoothing)), tf.mul(labelled, push)) as tf.Tensor1D;
  };

/**
 * Weighted KL of MART (Wang et al., 2020, section 3): `D(p(x) || p(x')) (1 - p_y(x))`, with the authors' constants; gradient flows through
 * both outputs and through the weight.
 */
export const weightedKl =
  (role: Role): PerExample =>
  ({ z, batch }) => {
    const logP = logSoftmax(z.natural);
    const logQ = tf.log(tf.add(tf.exp(logSoftmax(z[role]!)), tiny));
    const divergence = tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, logQ)), 1);
    const weight = tf.sub(weightCeiling, trueClassProbability(z.natural, batch.labels));
    return tf.mul(divergence, weight) as tf.Tensor1D;
  };

export const boostedCrossEntropyPlugin = defineClassification({
  name: 'boosted-cross-entropy',
  summary: 'Cross-entropy plus a push away from the strongest wrong class (MART).',
  cite: 'Wang et al., 2020, section 3 (ICLR 2020, OpenReview rklOg6EFwS)',
  options: { at: z.string().default('adversarial').describe('role of the point'), smoothing: smoothingOption() },
  create: ({ at, smoothing }) => boostedCrossEntropyAt(at, smoothing),
});

export const weightedKlPlugin = defineRegularizer({
  name: 'weighted-kl',
  summary: 'KL(natural, neighbour) weighted by how unsure the model is of the natural image (MART).',
  cite: 'Wang et al., 2020, section 3 (ICLR 2020, OpenReview rklOg6EFwS)',
  options: { to: z.string().default('adversarial').describe('role of the neighbour') },
  create: ({ to }) => weightedKl(to),
});
