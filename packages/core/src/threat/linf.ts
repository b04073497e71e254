import * as tf from '@tensorflow/tfjs-core';
import { signOf } from '../ops/index.js';
import { clipToPixelRange, overPixels, type Norm } from './norm.js';

/** The maximum norm: each pixel moves by at most epsilon. */
export const linf: Norm = {
  name: 'linf',
  measure: (perturbation) => tf.tidy(() => tf.max(tf.abs(perturbation), overPixels) as tf.Tensor1D),
  project: (point, { origin, epsilon }) =>
    tf.tidy(() =>
      clipToPixelRange(tf.minimum(tf.maximum(point, tf.sub(origin, epsilon)), tf.add(origin, epsilon)) as tf.Tensor4D),
    ),
  normalize: (gradient) => signOf(gradient),
  dual: (gradient) => tf.tidy(() => tf.sum(tf.abs(gradient), overPixels) as tf.Tensor1D),
  toRadius: (perturbation, radii) =>
    tf.tidy(() => tf.maximum(tf.minimum(perturbation, radii), tf.neg(radii)) as tf.Tensor4D),
  along: (perturbation, shares) => linf.toRadius(perturbation, shares),
  /** Each pixel counts alone. */
  slack: () => 1e-6,
  randomStart: (random, { shape, epsilon }) => random.uniform<tf.Rank.R4>(shape, -epsilon, epsilon),
};
