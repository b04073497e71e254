import { countOf } from '../batch.js';
import { factsOf } from '../classifier/index.js';
import type { Collective } from '../collective/index.js';
import type { EngineChoice } from '../engine/index.js';
import type { RunSummary } from '../hooks/index.js';
import type { PluginServices } from '../plugins/index.js';
import {
  isStop,
  runCallbacks,
  storeOfFirst,
  train,
  type Snapshot,
  type TrainerBus,
  type TrainingResult,
} from '../trainer/index.js';
import type { ComposedRun } from './compose.js';
import type { RunConfig } from './config.js';
import { arithmeticOf, choiceFor } from './engine-of-model.js';
import { finalCheckpoints } from './final.js';
import { checkFingerprint, fingerprintOf } from './fingerprint.js';
import type { RunLock } from './lock.js';
import type { RunFolder } from './run-folder.js';
import type { GradientSums } from './sums.js';
import { isSynchronised } from './synchronised.js';
import { firstExamples, validate, validateByClass } from './validate.js';

/** How a run ended. */
export interface RunResult extends TrainingResult {
  /** Of a finished run; also in `summary.json`. */
  readonly summary?: RunSummary;
}

/** A composed run with its folder, ready to train. */
export interface RunHandle {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly engine: EngineChoice;
  readonly bus: TrainerBus;
  /** Model, data, objective and the rest, for whoever works with them after training. */
  readonly parts: ComposedRun['parts'];
  /** What plugins of this run get injected. */
  readonly services: PluginServices;
  /** Trains to the end, or until the signal is aborted (then the state is saved). */
  train(signal?: AbortSignal): Promise<RunResult>;
  /** Frees the model and the optimizer, and lets others into the folder. */
  dispose(): void;
}

/** Puts a composed run and its folder together, ready to train. */
export function assemble(options: {
  composed: ComposedRun;
  selectBest: string | undefined;
  engine: EngineChoice;
  lock: RunLock;
  folder: RunFolder;
  /** Whether the folder was there before. */
  opened?: boolean;
  /** Numbers of epochs that the run had before. */
  extended?: readonly number[];
  resumeFrom?: Snapshot;
  collective?: Collective;
  sums: GradientSums;
}): RunHandle {
  const { composed, selectBest, lock, folder, opened = false, extended, resumeFrom, collective } = options;
  const { sums, remarks } = options.sums;
  const { config, parts, attacks, further, services } = composed;
  const { model, data, bus, optimizer, threat, average } = parts;
  const { evaluation, seed } = config;
  const synchronised = isSynchronised(composed, collective);
  const engine = choiceFor(model, options.engine, { synchronised, remarks });
  const { reducedPrecision } = engine;
  const held = data.validation && firstExamples(data.validation, evaluation.examples);
  const singleStep = services.make('attack', { use: 'fgsm' });
  const fingerprint = fingerprintOf(folder.frozen.config, data.train, extended);
  if (resumeFrom) checkFingerprint(folder.path, resumeFrom, fingerprint);

  const facts = factsOf(model, {
    classNames: data.classNames,
    threat: config.threat,
    data: config.data.use,
    objective: config.objective.use,
  });
  bus.on('epoch:end', ({ metrics: { epoch }, seconds, examples }) =>
    folder.addTiming({ epoch, seconds, imagesPerSecond: examples / seconds }),
  );
  /** Metrics follow the checkpoint that holds them, so that they never tell of an epoch that a resumed run has yet to make. */
  const store: typeof folder.checkpoints = {
    ...folder.checkpoints,
    save(kinds, snapshot) {
      folder.checkpoints.save(kinds, { ...snapshot, facts });
      if (kinds.includes('epoch')) folder.writeMetrics(snapshot.state.history);
    },
  };
  const validationOf = (set: typeof data.test, signal?: AbortSignal, chosen: typeof attacks = attacks) => ({
    ...{ model, set, attacks: chosen, threat, batchSize: evaluation.batchSize, seed, signal, collective },
    further: chosen === attacks ? further : [],
    progress: (event: { label: string; share: number }) => bus.emit('validation:progress', event),
    warn: (message: string) => bus.emit('warning', { message }),
  });
  const accuracies = (...given: Parameters<typeof validationOf>) => validate(validationOf(...given));

  // of several ranks, those of rank 0 look on
  const callbacks = runCallbacks(collective && collective.rank > 0 ? [] : composed.callbacks, {
    model,
    run: { name: config.name, folder: folder.path, config, engine: engine.name, opened },
    onFailure: config.guard.callbacks,
    warn: (message) => bus.emit('warning', { message }),
  });

  const trainAndMeasure = async (signal?: AbortSignal): Promise<RunResult> => {
    folder.writeMetrics(resumeFrom?.state.history ?? []);
    const result = await train(
      {
        ...{ ...parts, store, callbacks, collective, sums },
        validate: held && ((_epoch, stop) => accuracies(held, stop)),
        validateByClass: held && ((stop) => validateByClass(validationOf(held, stop))),
        underSingleStep: held && (async (stop) => (await accuracies(held, stop, [singleStep]))[singleStep.label]!),
      },
      {
        seed,
        epochs: config.epochs,
        batchSize: config.data.batchSize,
        accumulate: config.data.accumulate,
        craftDtype: reducedPrecision && 'bfloat16',
        clipNorm: config.optimizer.clipNorm,
        statisticsMomentum: config.batchNorm,
        synchronised,
        validateEvery: evaluation.every,
        selectBest,
        checkpointSeconds: config.checkpoint.minutes * 60,
        guard: config.guard,
        fingerprint,
      },
      { signal, resumeFrom },
    );
    if (result.reason === 'interrupted') return result;
    const found = { test: firstExamples(data.test, evaluation.examples), validation: held, none: undefined }[
      evaluation.final
    ];
    const set = found && countOf(found) > 0 ? found : undefined;
    try {
      const measure = set && (() => accuracies(set, signal));
      const opByOpBecause = model.opByOpBecause?.();
      const summary: RunSummary = {
        name: config.name,
        seed,
        engine: engine.name,
        ...(reducedPrecision && { reducedPrecision }),
        ...arithmeticOf(engine),
        ...(engine.repeatable === false && { repeatable: false }),
        ...(opByOpBecause !== undefined && { opByOpBecause }),
        ...(collective && { ranks: collective.size }),
        ...(sums && { summedBy: sums.name }),
        ...(synchronised && { batchNorm: 'synchronised' as const }),
        epochs: config.epochs,
        ...(extended && { extended }),
        ...(selectBest !== undefined && { selectedBy: selectBest }),
        split: set ? evaluation.final : 'none',
        ...(set && { images: countOf(set) }),
        ...(await finalCheckpoints({ store: storeOfFirst(collective, store)!, model, result, measure })),
        rollbacks: result.rollbacks,
        ...(result.overfitting && { overfitting: result.overfitting }),
      };
      folder.writeSummary(summary);
      return { ...result, summary };
    } catch (error) {
      if (collective ? isStop(error) : signal?.aborted) return { ...result, reason: 'interrupted' };
      throw error;
    }
  };

  return {
    config,
    folder,
    engine,
    bus,
    parts,
    services,
    async train(signal) {
      const result = await trainAndMeasure(signal).catch(async (error: Error) => {
        await callbacks.end({ reason: 'failed', error: error.message });
        throw error;
      });
      const { reason, summary } = result;
      await callbacks.end({ reason, ...(summary && { summary }) });
      return result;
    },
    dispose() {
      model.dispose();
      optimizer.dispose();
      average?.dispose();
      parts.objective.dispose?.();
      sums?.close();
      lock.release();
    },
  };
}
