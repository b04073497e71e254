import * as tf from '../tensor/index.js';
import { inputGradient, type Classifier } from '../classifier/index.js';
import { oneHotLabels } from '../loss/index.js';
import { take } from './gradient.js';

/** A linear model of `z_target - z_from` at each point, read off the engine. */
export interface LogitDifference {
  /** `[n]`. */
  readonly value: Float32Array;
  /** `n * dimension` numbers, NHWC. */
  readonly gradient: Float32Array;
}

/** Difference of two logits per example and its gradient with respect to the points; classes are constants. */
export async function logitDifference(
  model: Classifier,
  points: tf.Tensor4D,
  classes: { target: ArrayLike<number>; from: ArrayLike<number> },
): Promise<LogitDifference> {
  const rows = (indices: ArrayLike<number>) =>
    oneHotLabels(tf.tensor1d(Int32Array.from(indices), 'int32'), model.classes);
  const weights = tf.tidy(() => tf.sub(rows(classes.target), rows(classes.from)));
  const { gradient, losses, logits } = inputGradient(model, points, {
    loss: (z) => tf.sum(tf.mul(z, weights), 1) as tf.Tensor1D,
  });
  tf.dispose([logits, weights]);
  const [value, slope] = await Promise.all([take(losses), take(gradient)]);
  return { value, gradient: slope };
}
