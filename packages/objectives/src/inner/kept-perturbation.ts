import type { HookState } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** A perturbation that lives from batch to batch, row by row; 0 where nothing was kept yet. */
export interface KeptPerturbation {
  /** The rows for a batch of this shape whose first example has this position. */
  rows(shape: readonly number[], offset: number): tf.Tensor4D;
  /** Keeps these rows as the first ones; more than so many stay as they were. */
  keep(rows: tf.Tensor4D): void;
  readonly state: HookState;
  dispose(): void;
}

/** Makes one; it takes as many rows as the largest batch so far. */
export function keptPerturbation(): KeptPerturbation {
  let held: tf.Variable | undefined;
  const replace = (value: tf.Tensor | undefined) => {
    held?.dispose();
    held = value && tf.variable(value, false);
  };
  return {
    rows: (shape, offset) =>
      tf.tidy(() => {
        const [count, ...rest] = shape as [number, ...number[]];
        const there = Math.max(0, Math.min(count, (held?.shape[0] ?? 0) - offset));
        const missing = tf.zeros([count - there, ...rest]);
        if (there === 0) return missing as tf.Tensor4D;
        return tf.concat([tf.slice(held!, [offset], [there]), missing]) as tf.Tensor4D;
      }),
    keep(rows) {
      tf.tidy(() => {
        const to = rows.shape[0];
        const after = held && held.shape[0]! > to ? [tf.slice(held, [to])] : [];
        const all = tf.concat([rows, ...after]);
        if (held?.shape[0] === all.shape[0]) held!.assign(all);
        else replace(all);
      });
    },
    state: {
      save: () => ({ tensors: new Map(held ? [['delta', held as tf.Tensor]] : []), values: null }),
      restore: ({ tensors }) => replace(tensors.get('delta')),
    },
    dispose: () => replace(undefined),
  };
}
