import * as tf from '../tensor/index.js';
import { logSoftmax, softmaxCrossEntropy } from '../ops/index.js';

/**
 * Labels as rows of 0 and 1: `[batch]` int32 to `[batch, classes]` float32. A label of -1 ("no label") gives a row of
 * zeros, so that every loss built on it is 0 there.
 * @example
 * ```ts
 * oneHotLabels(tf.tensor1d([2, unlabelled], 'int32'), 3); // => [[0, 0, 1], [0, 0, 0]]
 * ```
 * @category Losses
 */
export function oneHotLabels(labels: tf.Tensor1D, classes: number): tf.Tensor2D {
  if (classes === 1) return tf.tidy(() => tf.expandDims(tf.cast(tf.equal(labels, 0), 'float32'), 1) as tf.Tensor2D);
  // as int32 first: asked for float32, the wasm kernel writes the bits of integers
  return tf.tidy(() => tf.cast(tf.oneHot(labels, classes), 'float32') as tf.Tensor2D);
}

/** Labels as rows, if they are not yet. */
const rowsOf = (labels: tf.Tensor1D | tf.Tensor2D, classes: number): tf.Tensor2D =>
  labels.rank === 2 ? (labels as tf.Tensor2D) : oneHotLabels(labels as tf.Tensor1D, classes);

/**
 * Cross-entropy per example, `-sum_c t_c log p_c`, from `logSoftmax`.
 * @param logits `[batch, classes]` float32, unbounded
 * @param labels `[batch]` int32 in [0, classes), -1 for "no label" (loss 0), or `[batch, classes]` float32 target rows
 * @returns `[batch]` float32, at least 0
 * @example
 * ```ts
 * crossEntropy(
 *   tf.tensor2d([
 *     [0, 0],
 *     [0, 2],
 *   ]),
 *   tf.tensor1d([1, 1], 'int32'),
 * ); // => [0.693147, 0.126928]
 * crossEntropy(tf.tensor2d([[0, 2]]), tf.tensor2d([[0.5, 0.5]])); // => [1.126928]
 * ```
 * @category Losses
 */
export const crossEntropy = (logits: tf.Tensor2D, labels: tf.Tensor1D | tf.Tensor2D): tf.Tensor1D =>
  softmaxCrossEntropy(logits, rowsOf(labels, logits.shape[1]));

/**
 * Probability of the true class, `[batch]` float32 in [0, 1]; 0 where the label is -1.
 * @param logits `[batch, classes]` float32, unbounded
 * @param labels `[batch]` int32, or `oneHotLabels` of them
 * @example
 * ```ts
 * trueClassProbability(
 *   tf.tensor2d([
 *     [0, 0],
 *     [0, 2],
 *   ]),
 *   tf.tensor1d([1, 1], 'int32'),
 * ); // => [0.5, 0.880797]
 * ```
 * @category Losses
 */
export function trueClassProbability(logits: tf.Tensor2D, labels: tf.Tensor1D | tf.Tensor2D): tf.Tensor1D {
  return tf.sum(tf.mul(tf.exp(logSoftmax(logits)), rowsOf(labels, logits.shape[1])), 1) as tf.Tensor1D;
}
