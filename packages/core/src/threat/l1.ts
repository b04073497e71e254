import * as tf from '@tensorflow/tfjs-core';
import { clipToPixelRange, overPixels, type Norm } from './norm.js';
import { signOf } from '../ops/index.js';
import { projectL1InBox } from './l1-projection.js';

/** The sum of absolute values over all pixels and channels of an image. */
export const l1: Norm = {
  name: 'l1',
  measure: (perturbation) => tf.tidy(() => tf.sum(tf.abs(perturbation), overPixels) as tf.Tensor1D),
  /** Euclidean projection onto the ball and the box together, in float64 off the engine. */
  project: (point, { origin, epsilon }) => {
    const x = origin.dataSync() as Float32Array;
    const moved = Float32Array.from(point.dataSync() as Float32Array);
    const dimension = x.length / origin.shape[0];
    for (let from = 0; from < x.length; from += dimension) {
      const image = x.subarray(from, from + dimension);
      const z = Float64Array.from(moved.subarray(from, from + dimension), (value, j) => value - image[j]!);
      projectL1InBox(z, image, epsilon);
      for (let j = 0; j < dimension; j++) moved[from + j] = image[j]! + z[j]!;
    }
    return tf.tidy(() => clipToPixelRange(tf.tensor4d(moved, point.shape)));
  },
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
