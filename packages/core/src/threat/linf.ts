import * as tf from '../tensor/index.js';
import { signOf, signStep } from '../ops/index.js';
import { projectOnHyperplane } from './hyperplane.js';
import { clipToPixelRange, overPixels, projectedStep, unit, type Norm } from './norm.js';

/** The maximum norm: each pixel moves by at most epsilon. */
export const linf: Norm = {
  name: 'linf',
  order: Infinity,
  dual: 'l1',
  perPixel: true,
  sparse: false,
  lengthOf(values) {
    let most = 0;
    for (let j = 0; j < values.length; j++) most = Math.max(most, Math.abs(values[j]!));
    return most;
  },
  ofOnes: () => 1,
  step(point, gradient, { epsilon, ...options }) {
    if (typeof epsilon === 'number') return signStep(point, gradient, { ...options, epsilon });
    return projectedStep(linf)(point, gradient, { ...options, epsilon });
  },
  hyperplane: (point, plane) => projectOnHyperplane(point, plane, linf),
  randomDirection: (random, shape) =>
    tf.tidy(() => {
      const drawn = random.uniform<tf.Rank.R4>(shape, -1, 1);
      return unit(drawn, linf.measure(drawn));
    }),
  measure: (perturbation) => tf.tidy(() => tf.max(tf.abs(perturbation), overPixels) as tf.Tensor1D),
  project: (point, { origin, epsilon }) =>
    tf.tidy(() =>
      clipToPixelRange(tf.minimum(tf.maximum(point, tf.sub(origin, epsilon)), tf.add(origin, epsilon)) as tf.Tensor4D),
    ),
  normalize: (gradient) => signOf(gradient),
  toRadius: (perturbation, radii) =>
    tf.tidy(() => tf.maximum(tf.minimum(perturbation, radii), tf.neg(radii)) as tf.Tensor4D),
  along: (perturbation, shares) => linf.toRadius(perturbation, shares),
  /** Each pixel counts alone. */
  slack: () => 1e-6,
  randomStart(random, { shape, epsilon }) {
    if (typeof epsilon === 'number') return random.uniform<tf.Rank.R4>(shape, -epsilon, epsilon);
    return tf.tidy(() => tf.mul(random.uniform<tf.Rank.R4>(shape, -1, 1), epsilon));
  },
};
