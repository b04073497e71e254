import { oneHotLabels, type HookState, type StepFindings } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { heldTensors } from './held-tensors.js';

/** Which share of each class was right at adversarial points in the last epoch; held as tensors, so that no step waits for a number. */
export interface ClassAccuracyRecord {
  /** `[classes]` float32 in [0, 1], of the last epoch that is done; a class that did not occur keeps its own, 1 at first. */
  of(classes: number): tf.Tensor1D;
  /** Counts what a step found. */
  see(findings: StepFindings): void;
  /** Makes the shares of the epoch those in force. An epoch whose end comes twice changes nothing the second time. */
  endEpoch(): void;
  readonly state: HookState;
  /** Frees what it holds. */
  dispose(): void;
}

/** Starts a record. */
export function classAccuracyRecord(): ClassAccuracyRecord {
  const held = heldTensors();
  const of = (name: string, classes: number, first: number) =>
    held.of(name, () => tf.fill([classes], first)) as tf.Variable<tf.Rank.R1>;
  const accuracies = (classes: number) => of('accuracies', classes, 1);
  const add = (to: tf.Variable<tf.Rank.R1>, rows: tf.Tensor) => to.assign(tf.add(to, tf.sum(rows, 0)) as tf.Tensor1D);
  return {
    of: accuracies,
    see({ z, batch, classes }) {
      tf.tidy(() => {
        const own = oneHotLabels(batch.labels, classes);
        const right = tf.cast(tf.equal(tf.argMax(z.adversarial, 1), batch.labels), 'float32');
        add(of('seen', classes, 0), own);
        add(of('right', classes, 0), tf.mul(own, tf.expandDims(right, 1)));
      });
    },
    endEpoch() {
      const [seen, right] = [held.get('seen'), held.get('right')];
      if (!seen || !right) return;
      tf.tidy(() => {
        const before = accuracies(seen.size);
        before.assign(tf.where(tf.greater(seen, 0), tf.divNoNan(right, seen), before) as tf.Tensor1D);
        for (const sums of [seen, right]) sums.assign(tf.zerosLike(sums));
      });
    },
    state: held.state,
    dispose: held.dispose,
  };
}
