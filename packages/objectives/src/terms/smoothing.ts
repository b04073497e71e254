import { number } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Target rows `[batch, classes]` of which `share` is spread evenly over all classes (Szegedy et al., 2016, section 7; arXiv:1512.00567).
 * Rows without a label stay 0.
 */
export function smoothed(y: tf.Tensor2D, share: number): tf.Tensor2D {
  if (share === 0) return y;
  const even = tf.mul(share / y.shape[1], tf.sum(y, 1, true));
  return tf.add(tf.mul(1 - share, y), even) as tf.Tensor2D;
}

/** Likewise, but spread over the classes that the label is not: `(1 - share) y + share / (classes - 1) (1 - y)`. */
export function smoothedOverOthers(y: tf.Tensor2D, share: number): tf.Tensor2D {
  if (share === 0) return y;
  const others = tf.mul(share / (y.shape[1] - 1), tf.sub(tf.sum(y, 1, true), y));
  return tf.add(tf.mul(1 - share, y), others) as tf.Tensor2D;
}

/** The option `smoothing` with a method's default. */
export const smoothingOption = (fallback = 0) =>
  number({ min: 0, max: 1 })
    .default(fallback)
    .describe('label smoothing: share of the label that is spread over the classes');
