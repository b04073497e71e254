import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  resumeRun,
  startRun as start,
  type Collective,
  type EpochMetrics,
  type RunHandle,
  type RunSummary,
} from '@bulwark/core';
import { importUserModule, loadConfig } from '../config/load.js';
import type { Config, DefinedConfig } from '../config/typed.js';
import { builtinRegistry } from '../registry.js';
import { runServices } from '../trust/policy.js';

/** How to train. */
export interface TrainOptions {
  /** Run folder; default `runs/<name>`. */
  readonly folder?: string;
  /** Goes on where the run in the folder stopped, if there is one; default false: a run that is there is an error. */
  readonly resume?: boolean;
  /** Folder of relative paths in the config; default: that of the config's file, else the working folder. */
  readonly baseFolder?: string;
  /** Is called after each epoch. */
  readonly onEpoch?: (metrics: EpochMetrics) => void;
  /** Aborting it saves the state and ends the training. */
  readonly signal?: AbortSignal;
  /** Is told what the user should know; default: nobody. */
  readonly warn?: (message: string) => void;
  /** The processes that train this run together (`openRanks`): all of them call `train` with the same; rank 0 writes the folder. */
  readonly collective?: Collective;
}

/** What a training came to. */
export interface TrainedRun {
  /** The run folder, for `evaluate`, `loadRun` and `loadModel`. */
  readonly folder: string;
  readonly reason: 'finished' | 'interrupted';
  readonly metrics: readonly EpochMetrics[];
  /** Of a finished run: best and last checkpoint. */
  readonly summary?: RunSummary;
}

/**
 * Begins a run with everything that comes with Bulwark: `train` and `dispose` of the handle are the caller's.
 * @param config a config whose plugins and options the compiler checks
 * @throws BulwarkError CONFIG_INVALID, RUN_EXISTS
 */
export async function startRun(
  config: Config | DefinedConfig,
  options: Pick<TrainOptions, 'folder' | 'baseFolder' | 'collective' | 'warn'> = {},
): Promise<RunHandle> {
  return start(config, {
    registry: builtinRegistry(),
    importModule: importUserModule,
    baseFolder: resolve(options.baseFolder ?? '.'),
    folder: (named) => resolve(options.folder ?? join('runs', named)),
    warn: options.warn ?? (() => {}),
    collective: options.collective,
  });
}

/**
 * Trains a model, as `bulwark train` does; everything is freed afterwards, and the run folder holds the model.
 * @param config a config whose plugins and options the compiler checks, or the path of its file
 * @throws BulwarkError CONFIG_INVALID, RUN_EXISTS and whatever else training can meet
 */
export async function train(config: Config | DefinedConfig | string, options: TrainOptions = {}): Promise<TrainedRun> {
  const { onEpoch, signal, collective, resume = false, warn = () => {} } = options;
  const loaded = typeof config === 'string' ? await loadConfig(config) : { input: config, baseFolder: '.' };
  const { name } = loaded.input as { name?: string };
  const path = resolve(options.folder ?? join('runs', name ?? 'run'));
  const run =
    resume && existsSync(join(path, 'config.json'))
      ? await resumeRun(path, { ...runServices(path, {}, warn), collective })
      : await startRun(loaded.input as DefinedConfig, {
          ...options,
          baseFolder: options.baseFolder ?? loaded.baseFolder,
        });
  try {
    if (onEpoch) run.bus.on('epoch:end', ({ metrics }) => onEpoch(metrics));
    const { reason, history, summary } = await run.train(signal);
    return { folder: run.folder.path, reason, metrics: history, ...(summary && { summary }) };
  } finally {
    run.dispose();
  }
}
