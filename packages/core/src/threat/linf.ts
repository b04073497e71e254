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
  randomStart: (random, { shape, epsilon }) => random.uniform<tf.Rank.R4>(shape, -epsilon, epsilon),
};
