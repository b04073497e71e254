import * as tf from '../tensor/index.js';
import { margin, targetedMargin } from './margin.js';

/** Keeps the quotient finite where the logits are equal; the value of the official code. */
const tiny = 1e-12;

/**
 * Masks of the classes with the r-th largest logit for r = 1..count, `[count, batch, classes]`: a constant to differentiation, as
 * `topk` has no gradient.
 */
function rankMasks(logits: tf.Tensor2D, count: number): tf.Tensor3D {
  return tf.customGrad((...args) => {
    const z = args[0] as tf.Tensor2D;
    const ranks = tf.transpose(tf.topk(z, count).indices);
    return { value: tf.cast(tf.oneHot(ranks, z.shape[1]), 'float32'), gradFunc: () => tf.zeros(logits.shape) };
  })(logits) as tf.Tensor3D;
}

/** The `count` largest logits in descending order, `[count, batch]`, differentiable. */
const largest = (logits: tf.Tensor2D, count: number): tf.Tensor2D =>
  tf.sum(tf.mul(rankMasks(logits, count), tf.expandDims(logits, 0)), 2) as tf.Tensor2D;

/**
 * Difference of logits ratio (Croce and Hein, 2020, Eq. 6; arXiv:2003.01690), to be maximised:
 * `-(z_y - max_{j != y} z_j) / (z_(1) - z_(3) + 1e-12)`. The denominator is differentiated, too.
 * @param logits `[batch, classes]` float32, at least 3 classes
 * @param labels `[batch]` int32 in [0, classes)
 * @returns `[batch]` float32; positive exactly where the example is misclassified, unbounded where z_(1) = z_(3)
 * @example
 * ```ts
 * dlr(tf.tensor2d([[3, 2, 0]]), tf.tensor1d([0], 'int32')); // => [-0.333333]
 * ```
 * @category Losses
 */
export function dlr(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const [first, , third] = tf.unstack(largest(logits, 3)) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const spread = tf.sub(first, third);
  return tf.div(margin(logits, labels), tf.add(spread, tiny)) as tf.Tensor1D;
}

/**
 * Targeted DLR (Croce and Hein, 2020, Eq. 7), to be maximised: `-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12)`,
 * with the ranks of the current logits.
 * @param logits `[batch, classes]` float32, at least 4 classes
 * @param labels `[batch]` int32 in [0, classes)
 * @param targets `[batch]` int32, the class to be predicted instead
 * @returns `[batch]` float32; positive exactly where the target's logit is above the label's
 * @example
 * ```ts
 * targetedDlr(tf.tensor2d([[4, 2, 1, 0]]), tf.tensor1d([0], 'int32'), tf.tensor1d([1], 'int32')); // => [-0.571429]
 * ```
 * @category Losses
 */
export function targetedDlr(logits: tf.Tensor2D, labels: tf.Tensor1D, targets: tf.Tensor1D): tf.Tensor1D {
  const [first, , third, fourth] = tf.unstack(largest(logits, 4)) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const spread = tf.sub(first, tf.mul(0.5, tf.add(third, fourth)));
  return tf.div(targetedMargin(logits, labels, targets), tf.add(spread, tiny)) as tf.Tensor1D;
}
