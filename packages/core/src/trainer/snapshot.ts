import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../errors.js';
import type { Classifier } from '../classifier/index.js';
import type { Objective, Optimizer } from '../hooks/index.js';
import type { EpochMetrics } from './events.js';

/** Version of what a checkpoint holds; `migrations` lead from older ones to this. */
export const snapshotVersion = 1;

/** Sums over the examples of the running epoch, so that a resumed epoch reports the same means. */
export interface EpochSums {
  examples: number;
  readonly sums: Record<string, number>;
}

/** The part of a snapshot that is not tensors. Every generator of a run is addressed by seed and position, so these are its state, too. */
export interface TrainingState {
  readonly version: number;
  readonly seed: number;
  /** Epochs finished. */
  epoch: number;
  /** Steps finished in the running epoch. */
  step: number;
  /** Steps finished in the run. */
  steps: number;
  epochSums: EpochSums;
  history: EpochMetrics[];
  best?: { epoch: number; value: number; metric: string };
  objective?: unknown;
}

/** Everything a run needs to go on as if it had not stopped. */
export interface Snapshot {
  readonly state: TrainingState;
  /** `model/`, `statistics/`, `optimizer/`, `objective/` + name. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
}

/** Where checkpoints are kept. The trainer knows nothing of files. */
export interface CheckpointStore {
  save(kind: 'last' | 'best', snapshot: Snapshot): void;
  load(kind: 'last' | 'best'): Snapshot;
}

interface Holders {
  readonly model: Classifier;
  readonly optimizer: Optimizer;
  readonly objective: Objective;
}

function named(holders: Holders): Map<string, tf.Tensor> {
  const { model, optimizer, objective } = holders;
  const groups: [string, ReadonlyMap<string, tf.Tensor>][] = [
    ['model', model.parameters],
    ['statistics', model.statistics],
    ['optimizer', optimizer.slots()],
    ['objective', objective.state?.save().tensors ?? new Map()],
  ];
  return new Map(
    groups.flatMap(([group, tensors]) => [...tensors].map(([name, tensor]) => [`${group}/${name}`, tensor] as const)),
  );
}

/** Copies all state out of the engine. */
export function takeSnapshot(state: TrainingState, holders: Holders): Snapshot {
  const tensors = new Map(
    [...named(holders)].map(([name, tensor]) => [
      name,
      { shape: tensor.shape, data: tensor.dataSync().slice() as Float32Array },
    ]),
  );
  return { state: structuredClone({ ...state, objective: holders.objective.state?.save().values }), tensors };
}

/** Puts the weights and running statistics of a snapshot into a model. @throws BulwarkError CHECKPOINT_CORRUPT, before anything is written */
export function restoreModel(snapshot: Snapshot, model: Classifier): void {
  const targets = [
    ...[...model.parameters].map(([name, variable]) => [`model/${name}`, variable] as const),
    ...[...model.statistics].map(([name, variable]) => [`statistics/${name}`, variable] as const),
  ];
  for (const [name, variable] of targets) {
    const found = snapshot.tensors.get(name);
    if (!found || found.shape.join() !== variable.shape.join())
      throw new BulwarkError(
        'CHECKPOINT_CORRUPT',
        `the checkpoint has ${found ? `${name} of shape [${found.shape}]` : `no ${name}`}; the model needs [${variable.shape}]`,
        { cure: 'use the config that the checkpoint was written with' },
      );
  }
  for (const [name, variable] of targets) {
    const { shape, data } = snapshot.tensors.get(name)!;
    tf.tidy(() => variable.assign(tf.tensor(data, [...shape])));
  }
}

/** Puts everything back; the inverse of `takeSnapshot`. */
export function restoreSnapshot(snapshot: Snapshot, holders: Holders): void {
  restoreModel(snapshot, holders.model);
  const group = (prefix: string) =>
    new Map(
      [...snapshot.tensors]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { shape, data }]) => [name.slice(prefix.length), tf.tensor(data, [...shape])] as const),
    );
  const [slots, objective] = [group('optimizer/'), group('objective/')];
  holders.optimizer.restoreSlots(slots);
  holders.objective.state?.restore({ tensors: objective, values: snapshot.state.objective });
  tf.dispose([...slots.values(), ...objective.values()]);
}
