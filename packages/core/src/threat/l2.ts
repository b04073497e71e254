import * as tf from '../tensor/index.js';
import { projectOnHyperplane } from './hyperplane.js';
import { clipToPixelRange, overPixels, projectedStep, unit, type Norm } from './norm.js';

/** Keeps a division finite where a perturbation or gradient is exactly 0. */
const tiny = 1e-12;

const length = (x: tf.Tensor, keepDims: boolean) => tf.sqrt(tf.sum(tf.square(x), overPixels, keepDims));

/** The Euclidean norm over all pixels and channels of an image. */
export const l2: Norm = {
  name: 'l2',
  order: 2,
  dual: 'l2',
  perPixel: false,
  sparse: false,
  lengthOf(values) {
    let sum = 0;
    for (let j = 0; j < values.length; j++) sum += values[j]! * values[j]!;
    return Math.sqrt(sum);
  },
  ofOnes: Math.sqrt,
  step: (point, gradient, options) => projectedStep(l2)(point, gradient, options),
  hyperplane: (point, plane) => projectOnHyperplane(point, plane, l2),
  randomDirection: (random, shape) =>
    tf.tidy(() => {
      const drawn = random.normal<tf.Rank.R4>(shape);
      return unit(drawn, l2.measure(drawn));
    }),
  measure: (perturbation) => tf.tidy(() => length(perturbation, false) as tf.Tensor1D),
  project: (point, { origin, epsilon }) =>
    tf.tidy(() => {
      const perturbation = tf.sub(point, origin);
      const norm = length(perturbation, true);
      const scale = tf.div(tf.minimum(norm, epsilon), tf.add(norm, tiny));
      return clipToPixelRange(tf.add(origin, tf.mul(perturbation, scale)) as tf.Tensor4D);
    }),
  normalize: (gradient) => tf.tidy(() => tf.div(gradient, tf.add(length(gradient, true), tiny)) as tf.Tensor4D),
  toRadius: (perturbation, radii) =>
    tf.tidy(() => tf.mul(perturbation, tf.div(radii, tf.maximum(length(perturbation, true), tiny)))),
  along: (perturbation, shares) => tf.mul(perturbation, shares),
  /** Thousands of pixels add up. */
  slack: (epsilon) => 1e-6 + 1e-5 * epsilon,
  /** Uniform in the ball: a normal direction, radius epsilon * u^(1/D). */
  randomStart: (random, { shape, epsilon }) =>
    tf.tidy(() => {
      const direction = random.normal<tf.Rank.R4>(shape);
      const dimension = shape.slice(1).reduce((size, n) => size * n, 1);
      const radius = tf.mul(epsilon, tf.pow(random.uniform([shape[0]!, 1, 1, 1]), 1 / dimension));
      return tf.mul(tf.div(direction, tf.add(length(direction, true), tiny)), radius) as tf.Tensor4D;
    }),
};
