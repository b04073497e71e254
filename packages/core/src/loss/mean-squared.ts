import * as tf from '../tensor/index.js';

/**
 * Mean over the classes of `(p - q)^2`, per example: `[batch, classes]` twice to `[batch]` float32.
 * @example
 * ```ts
 * meanSquared(tf.tensor2d([[1, 2]]), tf.tensor2d([[1, 4]])); // => [2]
 * ```
 * @category Losses
 */
export const meanSquared = (p: tf.Tensor2D, q: tf.Tensor2D): tf.Tensor1D =>
  tf.mean(tf.squaredDifference(p, q), 1) as tf.Tensor1D;
