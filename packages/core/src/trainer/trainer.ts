import type { Classifier } from '../classifier/index.js';
import {
  permutationSampler,
  type Augmentation,
  type DataSource,
  type Objective,
  type Optimizer,
  type RawBatch,
  type Schedule,
  type WeightPerturber,
} from '../hooks/index.js';
import { countOf, disposeBatch } from '../batch.js';
import { createRandom } from '../random.js';
import type { ThreatModel } from '../threat/index.js';
import type { EpochMetrics, TrainerBus } from './events.js';
import { addToSums, checkFinite, epochMeans, readNumbers } from './measure.js';
import { createPipeline } from './pipeline.js';
import {
  restoreSnapshot,
  snapshotVersion,
  takeSnapshot,
  type CheckpointStore,
  type Snapshot,
  type TrainingState,
} from './snapshot.js';
import { disposeOutcome, trainStep } from './step.js';

/** The parts a trainer is composed of. */
export interface TrainerParts {
  readonly model: Classifier;
  readonly data: DataSource;
  readonly objective: Objective;
  readonly weightPerturber?: WeightPerturber;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly augmentations: readonly Augmentation[];
  readonly threat: ThreatModel;
  readonly bus: TrainerBus;
  /** Accuracies on held-out data by name; decides `best` through `selectBest`. */
  readonly validate?: (epoch: number) => Promise<Record<string, number>>;
  readonly store?: CheckpointStore;
}

export interface TrainerOptions {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** Validate after every n-th epoch and after the last. */
  readonly validateEvery: number;
  /** Name of the validation accuracy that chooses the best checkpoint. */
  readonly selectBest?: string;
  /** Write a checkpoint in mid-epoch when this many seconds have passed since the last one. */
  readonly checkpointSeconds: number;
}

export interface TrainingResult {
  readonly reason: 'finished' | 'interrupted';
  readonly history: readonly EpochMetrics[];
  readonly best?: TrainingState['best'];
}

/** Trains until the last epoch or until `signal` is aborted, which finishes the step and writes a checkpoint. */
export async function train(
  parts: TrainerParts,
  options: TrainerOptions,
  control: { signal?: AbortSignal; resumeFrom?: Snapshot } = {},
): Promise<TrainingResult> {
  const { model, data, objective, optimizer, schedule, bus, store } = parts;
  const { seed, epochs, batchSize } = options;
  const sampler = data.sampler?.({ batchSize }) ?? permutationSampler(countOf(data.train), { batchSize });
  const stepsPerEpoch = sampler.batchesPerEpoch;
  const pipeline = createPipeline({
    set: data.train,
    classes: model.classes,
    augmentations: parts.augmentations,
    seed,
  });

  const state: TrainingState = control.resumeFrom
    ? structuredClone(control.resumeFrom.state)
    : {
        version: snapshotVersion,
        seed,
        epoch: 0,
        step: 0,
        steps: 0,
        epochSums: { examples: 0, sums: {} },
        history: [],
      };
  if (control.resumeFrom) restoreSnapshot(control.resumeFrom, parts);
  const resumedAt = control.resumeFrom && { epoch: state.epoch, step: state.step };
  bus.emit('run:start', { epochs, stepsPerEpoch, resumedAt });

  let savedAt = Date.now();
  const save = (kind: 'last' | 'best') => {
    if (!store) return;
    const began = Date.now();
    store.save(kind, takeSnapshot(state, parts));
    savedAt = Date.now();
    bus.emit('checkpoint', { kind, epoch: state.epoch, step: state.step, seconds: (savedAt - began) / 1000 });
  };

  const learningRateAt = (step: number) =>
    optimizer.learningRate * schedule.factor({ epoch: state.epoch, epochs, step, stepsPerEpoch });

  const runStep = async (raw: RawBatch, prepareNext: () => RawBatch | undefined) => {
    const began = performance.now();
    const batch = pipeline.toTensors(raw);
    const { epoch, step } = state;
    const learningRate = learningRateAt(step);
    const random = createRandom(seed, `attack/${epoch}/${step}`);
    const context = { model, threat: parts.threat, random, epoch, epochs };
    const outcome = trainStep(batch, { ...parts, learningRate, context });
    const next = prepareNext(); // while an asynchronous engine still works
    const numbers = await readNumbers(outcome, batch, objective);
    const examples = raw.labels.length;
    disposeOutcome(outcome);
    disposeBatch(batch);
    checkFinite(numbers, { ...state, objective: objective.name });
    addToSums(state.epochSums, numbers, examples);
    state.step++;
    state.steps++;
    const seconds = (performance.now() - began) / 1000;
    const { loss, terms } = numbers;
    bus.emit('step', {
      epoch: epoch + 1,
      epochs,
      step: state.step,
      stepsPerEpoch,
      loss,
      terms,
      learningRate,
      examples,
      seconds,
    });
    return next;
  };

  const finishEpoch = async (seconds: number) => {
    const means = epochMeans(state.epochSums);
    const { examples } = state.epochSums;
    const learningRate = learningRateAt(0);
    const last = state.epoch + 1 === epochs;
    const due = parts.validate && ((state.epoch + 1) % options.validateEvery === 0 || last);
    const validation = due ? await parts.validate!(state.epoch) : undefined;
    Object.assign(state, { epoch: state.epoch + 1, step: 0, epochSums: { examples: 0, sums: {} } });
    const metrics: EpochMetrics = {
      epoch: state.epoch,
      steps: state.steps,
      learningRate,
      ...means,
      ...(validation && { validation }),
    };
    state.history.push(metrics);
    const value = options.selectBest === undefined ? undefined : validation?.[options.selectBest];
    // of equal ones the later wins, as in the reference
    const better = value !== undefined && value >= (state.best?.value ?? -1);
    if (better) state.best = { epoch: state.epoch, value, metric: options.selectBest! };
    bus.emit('epoch:end', { metrics, seconds, examples });
    if (better) save('best');
    save('last');
  };

  while (state.epoch < epochs) {
    const { epoch } = state;
    const began = performance.now();
    const batches = sampler.epoch(createRandom(seed, `shuffling/${epoch}`));
    const prepare = (step: number) =>
      step < stepsPerEpoch ? pipeline.prepare(batches[step]!, { epoch, step }) : undefined;
    let raw = prepare(state.step);
    while (raw) {
      raw = await runStep(raw, () => prepare(state.step + 1));
      await breathe();
      if (control.signal?.aborted) {
        save('last');
        bus.emit('run:end', { reason: 'interrupted', epoch: state.epoch });
        return { reason: 'interrupted', history: state.history, best: state.best };
      }
      if (Date.now() - savedAt > options.checkpointSeconds * 1000) save('last');
    }
    await finishEpoch((performance.now() - began) / 1000);
  }
  bus.emit('run:end', { reason: 'finished', epoch: state.epoch });
  return { reason: 'finished', history: state.history, best: state.best };
}

/** Lets signals and timers in between two steps: the engines that compute on the CPU block the thread. */
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));
