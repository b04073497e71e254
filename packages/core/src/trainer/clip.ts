import * as tf from '../tensor/index.js';
import type { Gradients } from '../network/index.js';
import { disposeGradients } from './perturbed.js';

/** Keeps the division finite where all gradients are 0; PyTorch's `clip_grad_norm_` has the same constant. */
const tiny = 1e-6;

/** Scales gradients, which are given up, so that their Euclidean length together is at most `length`. */
export function clipGradients(gradients: Gradients, length: number | undefined): Gradients {
  if (length === undefined) return gradients;
  const clipped = new Map<string, tf.Tensor>();
  tf.tidy(() => {
    const squares = [...gradients.values()].map((gradient) => tf.sum(tf.square(gradient)));
    const scale = tf.minimum(1, tf.div(length, tf.add(tf.sqrt(tf.addN(squares)), tiny)));
    for (const [name, gradient] of gradients) clipped.set(name, tf.keep(tf.mul(gradient, scale)));
  });
  disposeGradients(gradients);
  return clipped;
}
