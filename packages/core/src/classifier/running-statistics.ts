import * as tf from '../tensor/index.js';
import { currentUpdates } from '../engine/updates.js';
import type { BatchStatistics } from '../network/index.js';

/** PyTorch's momentum: the share of the new batch. */
export const statisticsMomentum = 0.1;

/**
 * `running = 0.9 running + 0.1 batch`, with the unbiased batch variance (n / (n - 1)), as PyTorch updates them.
 * `variables` holds `<layer>.running_mean` and `<layer>.running_var`, each `[channels]` float32; `momenta` is the share of all
 * layers, or has the layers with another share than 0.1.
 */
export function updateRunningStatistics(
  variables: ReadonlyMap<string, tf.Variable>,
  batch: BatchStatistics,
  momenta: ReadonlyMap<string, number> | number = new Map(),
): void {
  tf.tidy(() => {
    const lists = { variables: [] as tf.Variable[], values: [] as tf.Tensor[] };
    const shares = { keep: [] as number[], add: [] as number[] };
    for (const [layer, { mean, variance, bessel }] of batch) {
      const share = typeof momenta === 'number' ? momenta : (momenta.get(layer) ?? statisticsMomentum);
      lists.variables.push(variables.get(`${layer}.running_mean`)!, variables.get(`${layer}.running_var`)!);
      // the unbiased variance is rounded before its share is taken, as in PyTorch: another order changes what a run comes to
      lists.values.push(mean, bessel === 1 ? variance : tf.mul(variance, bessel));
      shares.keep.push(1 - share, 1 - share);
      shares.add.push(share, share);
    }
    currentUpdates().blend(lists, shares);
  });
}
