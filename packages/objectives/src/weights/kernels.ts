import type { Gradients, PerturbContext } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** Keeps the division finite at a zero gradient, whose direction is then 0. */
const tiny = 1e-20;

const norm = (tensors: readonly tf.Tensor[]): tf.Scalar =>
  tf.sqrt(tf.addN(tensors.map((tensor) => tf.sum(tf.square(tensor)) as tf.Scalar)));

/** Takes the kernels (rank above 1: no bias, no BatchNorm parameter) out of gradients, and disposes the rest. */
export function kernelsOnly(gradients: Gradients): Map<string, tf.Tensor> {
  const kernels = [...gradients].filter(([, gradient]) => gradient.rank > 1);
  gradients.forEach((gradient) => gradient.rank > 1 || gradient.dispose());
  return new Map(kernels);
}

/**
 * Offsets along `directions`, as long as `gamma` times the weights: `gamma ||w|| / (||g|| + 1e-20) g`. Norms are those of each
 * kernel with `perLayer`, else those of all kernels together. The caller disposes them.
 */
export function relativeOffsets(
  parameters: PerturbContext['model']['parameters'],
  directions: Gradients,
  options: { gamma: number; perLayer: boolean },
): Map<string, tf.Tensor> {
  const names = [...directions.keys()];
  const groups = options.perLayer ? names.map((name) => [name]) : [names];
  const offsets = new Map<string, tf.Tensor>();
  for (const group of groups) {
    if (group.length === 0) continue;
    tf.tidy(() => {
      const weights = norm(group.map((name) => parameters.get(name)!));
      const length = norm(group.map((name) => directions.get(name)!));
      const scale = tf.mul(options.gamma, tf.div(weights, tf.add(length, tiny)));
      for (const name of group) offsets.set(name, tf.keep(tf.mul(scale, directions.get(name)!)));
    });
  }
  return offsets;
}
