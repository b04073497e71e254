import * as tf from '../tensor/index.js';
import { BulwarkError } from '../errors.js';
import { factsOf, type Classifier } from '../classifier/index.js';
import { factDifferences, type ModelFacts } from '../formats/index.js';
import type { EpochMetrics, Objective, Overfitting, Optimizer, WeightAverage } from '../hooks/index.js';
import { trainedParameters, trainedStatistics } from './companions.js';
import type { CheckpointKind } from './events.js';

/** Version of what a checkpoint holds; `migrations` lead from older ones to this. */
export const snapshotVersion = 2;

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
  /** Factor on the learning rate that rollbacks left; 1 without any. */
  learningRateScale: number;
  /** Rollbacks so far. */
  rollbacks: number;
  /** Losses of robustness so far, those that were rolled back among them; absent without any. */
  overfitting?: Overfitting[];
  best?: { epoch: number; value: number; metric: string };
  /** Whatever the caller said that this run is made of; a resumed run must say the same. */
  readonly fingerprint?: string;
  objective?: unknown;
  average?: unknown;
}

/** The state of a run that has not begun. */
export function initialState(options: { seed: number; fingerprint?: string }): TrainingState {
  const position = { epoch: 0, step: 0, steps: 0, epochSums: { examples: 0, sums: {} }, history: [] };
  return { version: snapshotVersion, ...options, ...position, learningRateScale: 1, rollbacks: 0 };
}

/** Everything a run needs to go on as if it had not stopped. */
export interface Snapshot {
  readonly state: TrainingState;
  /** `model/`, `statistics/`, `optimizer/`, `objective/`, `average/model/`, `average/statistics/` + name. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
  /** What the network is besides tensors, so that a checkpoint can be used without its run. */
  readonly facts?: ModelFacts;
}

/** Where checkpoints are kept. The trainer knows nothing of files. */
export interface CheckpointStore {
  /** Keeps one snapshot under all of these names. */
  save(kinds: readonly CheckpointKind[], snapshot: Snapshot): void;
  /** The snapshot last saved under this name. */
  load(kind: CheckpointKind): Snapshot;
}

/** Checkpoints that live as long as the process. */
export function memoryStore(): CheckpointStore {
  const kept = new Map<CheckpointKind, Snapshot>();
  return {
    save: (kinds, snapshot) => kinds.forEach((kind) => kept.set(kind, snapshot)),
    load: (kind) => kept.get(kind)!,
  };
}

interface Holders {
  readonly model: Classifier;
  readonly optimizer: Optimizer;
  readonly objective: Objective;
  readonly average?: WeightAverage;
}

function named(holders: Holders): Map<string, tf.Tensor> {
  const { optimizer, objective, average } = holders;
  const groups: [string, ReadonlyMap<string, tf.Tensor>][] = [
    ['model', trainedParameters(holders)],
    ['statistics', trainedStatistics(holders)],
    ['optimizer', optimizer.slots()],
    ['objective', objective.state?.save().tensors ?? new Map()],
    ['average', average?.state.save().tensors ?? new Map()],
  ];
  return new Map(
    groups.flatMap(([group, tensors]) => [...tensors].map(([name, tensor]) => [`${group}/${name}`, tensor] as const)),
  );
}

/** Copies all state out of the engine. The same state gives the same bytes, whatever way led to it. */
export async function takeSnapshot(state: TrainingState, holders: Holders): Promise<Snapshot> {
  const { version, seed, fingerprint, epoch, step, steps, epochSums, history, best } = state;
  const { learningRateScale, rollbacks, overfitting } = state;
  const losses = overfitting && { overfitting };
  const position = { version, seed, fingerprint, epoch, step, steps, epochSums, history };
  const hooks = { objective: holders.objective.state?.save().values, average: holders.average?.state.save().values };
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, tensor] of named(holders))
    tensors.set(name, { shape: tensor.shape, data: (await tensor.data()) as Float32Array });
  return { state: structuredClone({ ...position, learningRateScale, rollbacks, ...losses, best, ...hooks }), tensors };
}

/**
 * Puts weights and running statistics of a snapshot into a model: the averaged ones if the run averages, which are what its
 * validation measured.
 * @throws BulwarkError CHECKPOINT_CORRUPT, before anything is written
 */
export function restoreModel(snapshot: Snapshot, model: Classifier): void {
  const [difference] = snapshot.facts ? factDifferences(snapshot.facts, factsOf(model)) : [];
  if (difference) {
    const [file, ours] = [difference.file, difference.model].map((value) => JSON.stringify(value) ?? 'nothing');
    throw new BulwarkError(
      'CHECKPOINT_CORRUPT',
      `the checkpoint was written by a model with ${difference.what} ${file}; this model has ${ours}`,
      { hint: 'use the config that the checkpoint was written with' },
    );
  }
  const averaged = [...snapshot.tensors.keys()].some((name) => name.startsWith('average/'));
  restoreTensors(snapshot, { model, objective: {} }, averaged ? 'average/' : '');
}

function restoreTensors(
  snapshot: Snapshot,
  into: { model: Classifier; objective: Pick<Objective, 'companions'> },
  prefix: string,
): void {
  const targets = [
    ...[...trainedParameters(into)].map(([name, variable]) => [`${prefix}model/${name}`, variable] as const),
    ...[...trainedStatistics(into)].map(([name, variable]) => [`${prefix}statistics/${name}`, variable] as const),
  ];
  for (const [name, variable] of targets) {
    const found = snapshot.tensors.get(name);
    if (!found || found.shape.join() !== variable.shape.join())
      throw new BulwarkError(
        'CHECKPOINT_CORRUPT',
        `the checkpoint has ${found ? `${name} of shape [${found.shape}]` : `no ${name}`}; the model needs [${variable.shape}]`,
        { hint: 'use the config that the checkpoint was written with' },
      );
  }
  for (const [name, variable] of targets) {
    const { shape, data } = snapshot.tensors.get(name)!;
    tf.tidy(() => variable.assign(tf.tensor(data, [...shape])));
  }
}

/** Puts everything back; the inverse of `takeSnapshot`. */
export function restoreSnapshot(snapshot: Snapshot, holders: Holders): void {
  restoreTensors(snapshot, holders, '');
  const group = (prefix: string) =>
    new Map(
      [...snapshot.tensors]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { shape, data }]) => [name.slice(prefix.length), tf.tensor(data, [...shape])] as const),
    );
  const [slots, objective, average] = [group('optimizer/'), group('objective/'), group('average/')];
  holders.optimizer.restoreSlots(slots);
  holders.objective.state?.restore({ tensors: objective, values: snapshot.state.objective });
  if (snapshot.state.average !== undefined)
    holders.average?.state.restore({ tensors: average, values: snapshot.state.average });
  for (const restored of [slots, objective, average]) tf.dispose([...restored.values()]);
}
