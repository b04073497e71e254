import { letOthersRun } from '../event-loop.js';
import * as tf from '../tensor/index.js';

/** Reads a tensor's values and disposes it; lets others run. */
export async function take(tensor: tf.Tensor): Promise<Float32Array> {
  const values = await tensor.data();
  tensor.dispose();
  await letOthersRun();
  return values as Float32Array;
}

/** One number per example as `[batch, 1, 1, 1]`, to be multiplied with images. */
export const perExample = (values: Float32Array): tf.Tensor4D => tf.tensor4d(values, [values.length, 1, 1, 1]);

/** The examples at these positions, `[indices.length, ...]`. */
export const gatherExamples = <T extends tf.Tensor>(batch: T, indices: readonly number[]): T =>
  tf.tidy(() => tf.gather(batch, tf.tensor1d([...indices], 'int32')) as T);
