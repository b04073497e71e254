import { together, type Collective } from '../collective/index.js';
import { useEngine, type EngineChoice } from '../engine/index.js';
import { BulwarkError } from '../errors.js';
import { enginesOf, type PluginRegistry } from '../plugins/index.js';
import { baseFromRun } from './base-folder.js';
import { checkConfig } from './check-config.js';
import { compose } from './compose.js';
import type { RunConfig } from './config.js';
import { arithmeticOf, choiceFor } from './engine-of-model.js';
import { extendedBy, warnOfSchedule } from './extend.js';
import { onlyResumable } from './fingerprint.js';
import { assemble, type RunHandle } from './handle.js';
import { loadPlugins, loadPluginsOfRun, type ImportModule, type PluginPolicy } from './load-plugins.js';
import { lockRunFolder, type RunLock } from './lock.js';
import { checkSameOnAll, folderOfRank, ranksChanged } from './ranks.js';
import { createRunFolder, openRunFolder, sweepRunFolder, type RunFolder } from './run-folder.js';
import { selection } from './selection.js';
import { openSums } from './sums.js';
import { warnOfSynchronised } from './synchronised.js';
import { versions } from './versions.js';

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
  return { config: checkConfig(input, registry, { stored: true }), registry };
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
  if (collective) checkSameOnAll(collective, frozen, composed, services.warn);
  warnOfSynchronised(composed, services);
  return inLockedFolder(path, collective, async (lock) => {
    const folder = await folderOfRank(path, collective, () => createRunFolder(path, frozen, services));
    const sums = await openSums(collective);
    return assemble({ composed, selectBest, engine, lock, folder, collective, sums });
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
      const change = services.change && onlyResumable(checkConfig(frozen.config, registry, { stored: true }), config);
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
    const asNow = { ...frozen, versions: versions(), engine: engine.name };
    if (collective) checkSameOnAll(collective, asNow, composed, services.warn);
    warnOfSynchronised(composed, services);
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
    const sums = await openSums(collective);
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
      sums,
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
