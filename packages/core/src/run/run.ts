import { countOf } from '../batch.js';
import { factsOf } from '../classifier/index.js';
import { together, type Collective } from '../collective/index.js';
import { useEngine, type EngineChoice } from '../engine/index.js';
import { BulwarkError } from '../errors.js';
import { enginesOf, type PluginRegistry, type PluginServices } from '../plugins/index.js';
import type { RunSummary } from '../hooks/index.js';
import {
  isSingleStep,
  isStop,
  runCallbacks,
  storeOfFirst,
  train,
  type Snapshot,
  type TrainerBus,
  type TrainingResult,
} from '../trainer/index.js';
import { baseFromRun } from './base-folder.js';
import { checkConfig } from './check-config.js';
import { compose, type ComposedRun } from './compose.js';
import type { RunConfig } from './config.js';
import { finalCheckpoints } from './final.js';
import { arithmeticOf, choiceFor } from './engine-of-model.js';
import { extendedBy, warnOfSchedule } from './extend.js';
import { checkFingerprint, fingerprintOf, onlyResumable } from './fingerprint.js';
import { loadPlugins, loadPluginsOfRun, type ImportModule, type PluginPolicy } from './load-plugins.js';
import { lockRunFolder, type RunLock } from './lock.js';
import { checkSameOnAll, folderOfRank, ranksChanged } from './ranks.js';
import { createRunFolder, openRunFolder, sweepRunFolder, type RunFolder } from './run-folder.js';
import { firstExamples, validate } from './validate.js';
import { versions } from './versions.js';

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

/** What a run needs from whoever starts it. */
export interface RunServices extends PluginPolicy {
  /** Plugins that configs may name; a run's own plugins go into a child. */
  readonly registry: PluginRegistry;
  readonly importModule?: ImportModule;
  /** Tells the user something. */
  readonly warn?: (message: string) => void;
  /** The processes that train this run together, if there are several; all start or resume the same. */
  readonly collective?: Collective;
}

/** A config that fits, and the plugins that it may name. */
export interface CheckedRun {
  readonly config: RunConfig;
  readonly registry: PluginRegistry;
}

/** Plugins loaded and a config of the caller's own checked, before any data is read. Its plugins are run. */
export async function checkRun(input: unknown, services: RunServices & { baseFolder: string }): Promise<CheckedRun> {
  const registry = services.registry.child();
  const named = (input as { plugins?: unknown } | null)?.plugins;
  if (Array.isArray(named) && named.every((name) => typeof name === 'string'))
    await loadPlugins(named, { ...services, registry });
  return { config: checkConfig(input, registry), registry };
}

/**
 * The same for the config of a run folder, which may come from anyone: its plugins are run only if the services say so.
 * @param input the folder's config, or that with changes of the caller
 * @throws BulwarkError PLUGIN_UNTRUSTED
 */
export async function checkRunFolder(
  { path, frozen }: Pick<RunFolder, 'path' | 'frozen'>,
  services: RunServices,
  input: unknown = frozen.config,
): Promise<CheckedRun> {
  const registry = services.registry.child();
  const { baseFolder, config } = frozen;
  await loadPluginsOfRun({ path, baseFolder, specifiers: config.plugins }, { ...services, registry });
  return { config: checkConfig(input, registry), registry };
}

/** Starts the engine that a config names. */
export const engineOf = (config: RunConfig, registry: PluginRegistry): Promise<EngineChoice> =>
  useEngine(config.engine, { engines: enginesOf(registry), reducedPrecision: config.reducedPrecision });

/**
 * Checks, composes and creates the folder of a new run; last the folder, so that a config that fails leaves none behind.
 * @category Programs
 */
export async function startRun(
  input: unknown,
  services: RunServices & { baseFolder: string; folder: (name: string) => string },
): Promise<RunHandle> {
  const { baseFolder, collective } = services;
  const { config, engine, composed, selectBest } = await together(collective, async () => {
    const { config, registry } = await checkRun(input, services);
    const engine = await engineOf(config, registry);
    const composed = await compose(config, { registry, baseFolder, warn: services.warn });
    return { config, engine, composed, selectBest: selection(composed) };
  });
  const path = services.folder(config.name);
  const frozen = {
    config: { ...config, engine: { use: engine.name, ...engine.options } },
    baseFolder,
    baseFromRun: baseFromRun(path, baseFolder),
    versions: versions(),
    engine: engine.name,
    ...arithmeticOf(choiceFor(composed.parts.model, engine)),
    ...(collective && { ranks: collective.size }),
  };
  if (collective) checkSameOnAll(collective, frozen, composed);
  return inLockedFolder(path, collective, async (lock) => {
    const folder = await folderOfRank(path, collective, () => createRunFolder(path, frozen, services));
    return assemble({ composed, selectBest, engine, lock, folder, collective });
  });
}

/**
 * Continues a run from its last good checkpoint.
 * @param services.change replaces the config's `guard`, `checkpoint` or `callbacks` section, or extends the run by more `epochs`; nothing else
 *   may differ
 * @category Programs
 */
export async function resumeRun(
  path: string,
  services: RunServices & { change?: (config: RunConfig) => unknown },
): Promise<RunHandle> {
  const { collective } = services;
  await together(collective, () => void openRunFolder(path)); // a folder that is no run gets no lock
  return inLockedFolder(path, collective, async (lock) => {
    const folder = await folderOfRank(path, collective, () => openRunFolder(path, services));
    const { frozen } = folder;
    const { baseFolder } = frozen;
    const { composed, engine, change, resumeFrom } = await together(collective, async () => {
      const first = (collective?.rank ?? 0) === 0;
      if (first) sweepRunFolder(path);
      const input = services.change?.(frozen.config) ?? frozen.config;
      const { config, registry } = await checkRunFolder(folder, services, input);
      const engine = await engineOf(config, registry);
      const change = services.change && onlyResumable(checkConfig(frozen.config, registry), config);
      const resumeFrom = first && folder.checkpoints.has('last') ? folder.checkpoints.settle() : undefined;
      if (first && !resumeFrom && folder.readMetrics().length > 0)
        throw new BulwarkError('CHECKPOINT_MISSING', `${path} has metrics of finished epochs, but no checkpoint`, {
          hint: 'restore its checkpoints folder, or train again into another folder',
        });
      // other ranks get rank 0's weights, if only its first ones
      const weightsFollow = resumeFrom !== undefined;
      const composed = await compose(config, { registry, baseFolder, warn: services.warn, weightsFollow });
      return { composed, engine, change, resumeFrom };
    });
    if (collective) checkSameOnAll(collective, { ...frozen, versions: versions(), engine: engine.name }, composed);
    const ranks = ranksChanged(frozen, { collective, composed, warn: services.warn });
    const extended = extendedBy(change, folder);
    if (change || ranks)
      folder.freeze({
        ...{ ...frozen, ...ranks, ...(extended && { extended }) },
        ...(change && { config: { ...frozen.config, ...change } }),
      });
    if (extended !== frozen.extended) {
      folder.removeSummary();
      warnOfSchedule(composed, {
        epochs: frozen.config.epochs,
        done: resumeFrom?.state.epoch ?? 0,
        warn: services.warn,
      });
    }
    return assemble({
      composed,
      selectBest: selection(composed),
      engine,
      lock,
      folder,
      opened: true,
      extended,
      resumeFrom,
      collective,
    });
  });
}

/** Works in a folder that other commands are kept out of; of several ranks, rank 0 does that. */
async function inLockedFolder<T>(
  path: string,
  collective: Collective | undefined,
  work: (lock: RunLock) => Promise<T>,
): Promise<T> {
  const free: RunLock = { release: () => undefined };
  const lock = await together(collective, () => (collective && collective.rank > 0 ? free : lockRunFolder(path)));
  return releasingOnError(lock, () => work(lock));
}

async function releasingOnError<T>(lock: RunLock, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** @throws BulwarkError CONFIG_INVALID where a guard is asked for that could never see anything */
function checkWatched({ config, attacks, parts }: ComposedRun): void {
  const { action, share } = config.guard.overfitting;
  if (action === 'warn' || share === 0) return;
  const missing = !parts.data.validation
    ? 'there are no validation images'
    : attacks.every(({ label }) => isSingleStep(label))
      ? `validation measures no attack of several steps (${attacks.map(({ label }) => label).join(', ') || 'none at all'})`
      : undefined;
  if (missing !== undefined)
    throw new BulwarkError('CONFIG_INVALID', `guard.overfitting.action is ${action}, but ${missing}`, {
      hint: 'hold out validation images and add { use: pgd, steps: 10 } to evaluation.attacks, or leave the action at warn',
    });
}

/** Label of the validation accuracy that chooses the best checkpoint; undefined without validation images. */
function selection(composed: ComposedRun): string | undefined {
  const { config, attacks, parts } = composed;
  checkWatched(composed);
  if (!parts.data.validation) return undefined;
  const labels = ['clean', ...attacks.map(({ label }) => label)];
  const wanted = config.evaluation.selectBest;
  if (wanted === undefined) return labels.at(-1);
  const found = labels.find((label) => label === wanted) ?? labels.find((label) => label.startsWith(`${wanted}-`));
  if (found === undefined)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `evaluation.selectBest is ${JSON.stringify(wanted)}; validation measures ${labels.join(', ')}`,
      { hint: 'name one of these, or add the attack to evaluation.attacks' },
    );
  return found;
}

function assemble(options: {
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
}): RunHandle {
  const { composed, selectBest, lock, folder, opened = false, extended, resumeFrom, collective } = options;
  const { config, parts, attacks, services } = composed;
  const { model, data, bus, optimizer, threat, average } = parts;
  const { evaluation, seed } = config;
  const engine = choiceFor(model, options.engine);
  const { reducedPrecision } = engine;
  const opByOpBecause = model.opByOpBecause?.();
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
  const accuracies = (set: typeof data.test, signal?: AbortSignal, chosen: typeof attacks = attacks) =>
    validate({
      model,
      set,
      attacks: chosen,
      threat,
      batchSize: evaluation.batchSize,
      seed,
      signal,
      collective,
      progress: (event) => bus.emit('validation:progress', event),
      warn: (message) => bus.emit('warning', { message }),
    });

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
        ...{ ...parts, store, callbacks, collective },
        validate: held && ((_epoch, stop) => accuracies(held, stop)),
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
        validateEvery: evaluation.every,
        selectBest,
        checkpointSeconds: config.checkpoint.minutes * 60,
        guard: config.guard,
        fingerprint,
      },
      { signal, resumeFrom },
    );
    if (result.reason === 'interrupted') return result;
    const set = { test: firstExamples(data.test, evaluation.examples), validation: held, none: undefined }[
      evaluation.final
    ];
    try {
      const measure = set && (() => accuracies(set, signal));
      const summary: RunSummary = {
        name: config.name,
        seed,
        engine: engine.name,
        ...(reducedPrecision && { reducedPrecision }),
        ...arithmeticOf(engine),
        ...(engine.repeatable === false && { repeatable: false }),
        ...(opByOpBecause !== undefined && { opByOpBecause }),
        ...(collective && { ranks: collective.size }),
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
      lock.release();
    },
  };
}
