import * as tf from '@tensorflow/tfjs-core';
import type { BatchStatistics } from '../network/index.js';

/** PyTorch's momentum: the share of the new batch. */
export const statisticsMomentum = 0.1;

/**
 * `running = 0.9 running + 0.1 batch`, with the unbiased batch variance (n / (n - 1)), as PyTorch updates them.
 * `variables` holds `<layer>.running_mean` and `<layer>.running_var`, each `[channels]` float32; `momenta` has layers with another share
 * than 0.1.
 */
export function updateRunningStatistics(
  variables: ReadonlyMap<string, tf.Variable>,
  batch: BatchStatistics,
  momenta: ReadonlyMap<string, number> = new Map(),
): void {
  tf.tidy(() => {
    for (const [layer, { mean, variance, bessel }] of batch) {
      const share = momenta.get(layer) ?? statisticsMomentum;
      const move = (variable: tf.Variable, value: tf.Tensor) =>
        variable.assign(tf.add(tf.mul(variable, 1 - share), tf.mul(value, share)));
      move(variables.get(`${layer}.running_mean`)!, mean);
      move(variables.get(`${layer}.running_var`)!, bessel === 1 ? variance : tf.mul(variance, bessel));
    }
  });
}
