import * as tf from '@tensorflow/tfjs-core';
import { withConstantParameters, type Classifier } from '../classifier/index.js';
import { releasingEarly } from '../engine/index.js';
import type { LogitLoss } from './attack-loss.js';

/** What one evaluation of model and gradient gives; the caller disposes it. */
export interface LossGradient {
  /** Of the summed loss with respect to the points, `[batch, h, w, c]`. */
  readonly gradient: tf.Tensor4D;
  /** `[batch]` float32. */
  readonly losses: tf.Tensor1D;
  /** `[batch, classes]` float32. */
  readonly logits: tf.Tensor2D;
}

/** Loss, logits and input gradient in one forward and one backward pass, the model in `eval` mode. */
export function lossGradient(model: Classifier, points: tf.Tensor4D, loss: LogitLoss): LossGradient {
  return tf.tidy(() => {
    const seen: { losses?: tf.Tensor1D; logits?: tf.Tensor2D } = {};
    const total = releasingEarly((x: tf.Tensor) => {
      seen.logits = tf.keep(model.forward(x as tf.Tensor4D, 'eval'));
      seen.losses = tf.keep(loss(seen.logits));
      return tf.sum(seen.losses);
    });
    const gradient = withConstantParameters(() => tf.grad(total)(points) as tf.Tensor4D);
    return { gradient, losses: seen.losses!, logits: seen.logits! };
  });
}

/** How long a computation may keep signals, timers and the terminal waiting, in milliseconds. */
const patience = 200;
let lastBreath = 0;

/** Reads a tensor's values and disposes it. Now and then lets the event loop have its turn, so that Ctrl-C is heard. */
export async function take(tensor: tf.Tensor): Promise<Float32Array> {
  const values = await tensor.data();
  tensor.dispose();
  if (performance.now() - lastBreath > patience) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    lastBreath = performance.now();
  }
  return values as Float32Array;
}

/** One number per example as `[batch, 1, 1, 1]`, to be multiplied with images. */
export const perExample = (values: Float32Array): tf.Tensor4D => tf.tensor4d(values, [values.length, 1, 1, 1]);

/** The examples at these positions, `[indices.length, ...]`. */
export const gatherExamples = <T extends tf.Tensor>(batch: T, indices: readonly number[]): T =>
  tf.tidy(() => tf.gather(batch, tf.tensor1d([...indices], 'int32')) as T);
