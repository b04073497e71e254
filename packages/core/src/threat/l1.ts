import * as tf from '../tensor/index.js';
import { projectOnHyperplane } from './hyperplane.js';
import { clipToPixelRange, overPixels, projectedStep, unit, type Norm } from './norm.js';
import { signOf } from '../ops/index.js';
import { keepInL1Ball } from './l1-projection.js';

/** All coordinates nearer to 0 by `t`, and 0 where they would pass it. */
const softened = (x: tf.Tensor4D, t: tf.Tensor): tf.Tensor4D =>
  tf.mul(signOf(x), tf.relu(tf.sub(tf.abs(x), t))) as tf.Tensor4D;

/** Newton's steps come from below and end at the exact root; with the sizes of a perturbation ten are usual. */
const newtonSteps = 25;

/**
 * The threshold that brings the sum of softened sizes down to the radius, `[batch, 1, 1, 1]`; 0 for examples inside the ball. The sum is
 * convex and piecewise linear in the threshold, so nothing has to be sorted, or read back.
 */
function thresholds(perturbation: tf.Tensor4D, radii: tf.Tensor4D): tf.Tensor {
  const sizes = tf.abs(perturbation);
  let t: tf.Tensor = tf.zerosLike(radii);
  for (let i = 0; i < newtonSteps; i++) {
    const left = tf.sub(sizes, t);
    const excess = tf.sub(tf.sum(tf.relu(left), overPixels, true), radii);
    const moving = tf.sum(tf.cast(tf.greater(left, 0), 'float32'), overPixels, true);
    t = tf.add(t, tf.div(tf.relu(excess), tf.maximum(moving, 1)));
  }
  return t;
}

/** The sum of absolute values over all pixels and channels of an image. */
export const l1: Norm = {
  name: 'l1',
  order: 1,
  dual: 'linf',
  perPixel: false,
  sparse: true,
  lengthOf(values) {
    let sum = 0;
    for (let j = 0; j < values.length; j++) sum += Math.abs(values[j]!);
    return sum;
  },
  ofOnes: (dimension) => dimension,
  step: (point, gradient, options) => projectedStep(l1)(point, gradient, options),
  hyperplane: (point, plane) => projectOnHyperplane(point, plane, l1),
  randomDirection: (random, shape) =>
    tf.tidy(() => {
      const drawn = random.normal<tf.Rank.R4>(shape);
      return unit(drawn, l1.measure(drawn));
    }),
  measure: (perturbation) => tf.tidy(() => tf.sum(tf.abs(perturbation), overPixels) as tf.Tensor1D),
  /** Euclidean projection onto the ball and the box together. */
  project: (point, ball) =>
    tf.tidy(() => clipToPixelRange(tf.add(ball.origin, keepInL1Ball(tf.sub(point, ball.origin), ball)))),
  /** All of the step on the coordinates with the largest absolute gradient. */
  normalize: (gradient) =>
    tf.tidy(() => {
      const magnitude = tf.abs(gradient);
      const largest = tf.max(magnitude, overPixels, true);
      const chosen = tf.mul(tf.cast(tf.greaterEqual(magnitude, largest), 'float32'), signOf(gradient));
      return tf.div(chosen, tf.maximum(tf.sum(tf.abs(chosen), overPixels, true), 1)) as tf.Tensor4D;
    }),
  toRadius: (perturbation, radii) => tf.tidy(() => softened(perturbation, thresholds(perturbation, radii))),
  along: (perturbation, shares) => tf.tidy(() => softened(perturbation, tf.sub(1, shares))),
  /** Thousands of pixels add up. */
  slack: (epsilon) => 1e-6 + 1e-5 * epsilon,
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
