import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  BulwarkError,
  checkRun,
  composeModel,
  openRunFolder,
  restoreModel,
  useEngine,
  type Classifier,
  type DataSource,
  type EngineChoice,
  type PluginRegistry,
  type PluginServices,
  type RunConfig,
} from '@bulwark/core';
import { loadWeights } from '@bulwark/models';
import { importUserModule, loadConfig } from '../config/load.js';

/** What to evaluate, as given on the command line. */
export interface TargetFlags {
  readonly checkpoint?: string;
  readonly config?: string;
  readonly model?: string;
  readonly data?: string;
  readonly norm?: string;
  readonly epsilon?: string;
  readonly engine?: string;
}

/** A model with the data and the threat to evaluate it on. */
export interface Target {
  readonly model: Classifier;
  readonly data: DataSource;
  readonly config: RunConfig;
  readonly services: PluginServices;
  readonly registry: PluginRegistry;
  readonly engine: EngineChoice;
  /** `best` or `last` checkpoint, or the weights file. */
  readonly what: string;
  /** Folder for results. */
  readonly folder: string;
}

interface Opening {
  readonly registry: PluginRegistry;
  readonly warn: (text: string) => void;
}

type Json = Record<string, unknown>;

/** The config with threat and engine of the command line laid over it. */
function withFlags(config: Json, { norm, epsilon, engine }: TargetFlags): Json {
  const threat = {
    ...(config['threat'] as Json | undefined),
    ...(norm && { norm }),
    ...(epsilon && { epsilon: numberOrText(epsilon) }),
  };
  return { ...config, threat, ...(engine && { engine }) };
}

const numberOrText = (text: string): number | string => (Number.isNaN(Number(text)) ? text : Number(text));

/** Names without a config: what does not matter to an evaluation takes any valid value. */
function bareConfig({ model, data, epsilon }: TargetFlags): Json {
  if (!model || !data || !epsilon)
    throw new BulwarkError('USAGE', 'weights need to know their model, data and threat', {
      cure: 'give --config <file>, or --model, --data and --epsilon',
    });
  return { model: { use: model }, data: { use: data }, threat: {}, objective: { use: 'natural' }, epochs: 1 };
}

async function compose(config: unknown, baseFolder: string, { registry, warn }: Opening) {
  const run = await checkRun(config, { registry, baseFolder, importModule: importUserModule, warn });
  const engine = await useEngine(run.config.engine);
  const made = await composeModel(run.config, { registry: run.registry, baseFolder, warn });
  return { ...made, config: run.config, registry: run.registry, engine };
}

async function openRun(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  const folder = openRunFolder(path);
  const kind = flags.checkpoint ?? (folder.checkpoints.has('best') ? 'best' : 'last');
  if (kind !== 'best' && kind !== 'last')
    throw new BulwarkError('USAGE', `--checkpoint is ${kind}`, { cure: 'give best or last' });
  const snapshot = folder.checkpoints.load(kind);
  const { config, baseFolder } = folder.frozen;
  const target = await compose(withFlags(config as unknown as Json, flags), baseFolder, opening);
  restoreModel(snapshot, target.model);
  return { ...target, what: `${kind} checkpoint of ${path}`, folder: join(path, 'evaluation', kind) };
}

async function openWeights(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  const { input, baseFolder } = flags.config
    ? await loadConfig(flags.config)
    : { input: bareConfig(flags), baseFolder: process.cwd() };
  const target = await compose(withFlags(input, flags), baseFolder, opening);
  loadWeights(target.model, path);
  return { ...target, what: path, folder: join(dirname(path), 'evaluation') };
}

/** Opens a run folder or a weights file. @throws BulwarkError RUN_MISSING, CHECKPOINT_MISSING, WEIGHTS_INVALID, USAGE, ... */
export function openTarget(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  if (!existsSync(path))
    throw new BulwarkError('RUN_MISSING', `${path} does not exist`, {
      cure: 'give a run folder (runs/<name>) or a weights file (.safetensors, .pt)',
    });
  return statSync(path).isDirectory() ? openRun(path, flags, opening) : openWeights(path, flags, opening);
}
