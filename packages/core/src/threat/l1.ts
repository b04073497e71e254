import * as tf from '@tensorflow/tfjs-core';
import { clipToPixelRange, overPixels, type Norm } from './norm.js';
import { signOf } from '../engine/ops/index.js';

/** Absolute values, largest first, per example: what the projection's threshold is found on. */
function thresholds(magnitudes: Float32Array, dimension: number, epsilon: number): Float32Array {
  const count = magnitudes.length / dimension;
  const result = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const sorted = Float64Array.from(magnitudes.subarray(i * dimension, (i + 1) * dimension))
      .sort()
      .reverse();
    let [sum, threshold] = [0, 0];
    const total = sorted.reduce((a, b) => a + b, 0);
    if (total > epsilon)
      for (let j = 0; j < dimension; j++) {
        sum += sorted[j]!;
        const candidate = (sum - epsilon) / (j + 1);
        if (candidate >= sorted[j]!) break;
        threshold = candidate;
      }
    result[i] = threshold;
  }
  return result;
}

/** The sum of absolute values over all pixels and channels of an image. */
export const l1: Norm = {
  name: 'l1',
  measure: (perturbation) => tf.tidy(() => tf.sum(tf.abs(perturbation), overPixels) as tf.Tensor1D),
  /** Euclidean projection onto the ball (Duchi et al., 2008, in float64), then the box. */
  project: (point, { origin, epsilon }) =>
    tf.tidy(() => {
      const perturbation = tf.sub(point, origin);
      const magnitude = tf.abs(perturbation);
      const dimension = point.size / point.shape[0];
      const cut = tf.tensor4d(thresholds(magnitude.dataSync() as Float32Array, dimension, epsilon), [
        point.shape[0],
        1,
        1,
        1,
      ]);
      return clipToPixelRange(
        tf.add(origin, tf.mul(signOf(perturbation), tf.relu(tf.sub(magnitude, cut)))) as tf.Tensor4D,
      );
    }),
  /** All of the step on the coordinates with the largest absolute gradient. */
  normalize: (gradient) =>
    tf.tidy(() => {
      const magnitude = tf.abs(gradient);
      const largest = tf.max(magnitude, overPixels, true);
      const chosen = tf.mul(tf.cast(tf.greaterEqual(magnitude, largest), 'float32'), signOf(gradient));
      return tf.div(chosen, tf.maximum(tf.sum(tf.abs(chosen), overPixels, true), 1)) as tf.Tensor4D;
    }),
  /** Laplace-distributed coordinates scaled into the ball: uniform direction in the l1 geometry, radius epsilon * u^(1/D). */
  randomStart: (random, { shape, epsilon }) =>
    tf.tidy(() => {
      const u = random.uniform<tf.Rank.R4>(shape, -1, 1);
      const laplace = tf.mul(signOf(u), tf.neg(tf.log(tf.maximum(tf.sub(1, tf.abs(u)), 1e-7))));
      const dimension = shape.slice(1).reduce((size, n) => size * n, 1);
      const radius = tf.mul(epsilon, tf.pow(random.uniform([shape[0]!, 1, 1, 1]), 1 / dimension));
      return tf.mul(tf.div(laplace, tf.sum(tf.abs(laplace), overPixels, true)), radius) as tf.Tensor4D;
    }),
};
