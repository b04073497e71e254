import * as tf from '../tensor/index.js';
import { oneHotLabels } from './cross-entropy.js';

/** A value no logit of interest reaches: takes the true class out of a maximum without making infinities. */
const outOfTheWay = 1e9;

/**
 * Index of the largest logit among the wrong classes, `[batch]` int32; ties go to the lowest index.
 * @example
 * ```ts
 * strongestWrongClass(
 *   tf.tensor2d([
 *     [3, 2, 0],
 *     [3, 2, 0],
 *   ]),
 *   tf.tensor1d([0, 1], 'int32'),
 * ); // => [1, 0]
 * ```
 * @category Losses
 */
export function strongestWrongClass(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  return tf.tidy(
    () => tf.argMax(tf.sub(logits, tf.mul(oneHotLabels(labels, logits.shape[1]), outOfTheWay)), 1) as tf.Tensor1D,
  );
}

/**
 * The margin loss of Carlini and Wagner (2017) without a confidence clamp, `max_{j != y} z_j - z_y`, to be maximised; this is the
 * form that the Squeeze Training paper's C&W attack uses. The runner-up class is a constant to differentiation.
 * @param logits `[batch, classes]`
 * @param labels `[batch]` int32 in [0, classes)
 * @returns `[batch]` float32; positive exactly where the example is misclassified
 * @example
 * ```ts
 * margin(tf.tensor2d([[3, 2, 0]]), tf.tensor1d([0], 'int32')); // => [-1]
 * ```
 * @category Losses
 */
export const margin = (logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D =>
  targetedMargin(logits, labels, strongestWrongClass(logits, labels));

/**
 * The margin of one wrong class, `z_t - z_y`, to be maximised.
 * @param logits `[batch, classes]`
 * @param labels `[batch]` int32 in [0, classes)
 * @param targets `[batch]` int32, the class to be predicted instead
 * @returns `[batch]` float32; positive exactly where the target's logit is above the label's
 * @example
 * ```ts
 * targetedMargin(tf.tensor2d([[3, 2, 0]]), tf.tensor1d([0], 'int32'), tf.tensor1d([2], 'int32')); // => [-3]
 * ```
 */
export function targetedMargin(logits: tf.Tensor2D, labels: tf.Tensor1D, targets: tf.Tensor1D): tf.Tensor1D {
  const pick = (index: tf.Tensor1D) => tf.sum(tf.mul(logits, oneHotLabels(index, logits.shape[1])), 1);
  return tf.sub(pick(targets), pick(labels)) as tf.Tensor1D;
}
