import { existsSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import {
  BulwarkError,
  type CheckedRun,
  type Classifier,
  type DataSource,
  type EngineChoice,
  type ModelContext,
  type PluginRegistry,
  type PluginServices,
  type RunConfig,
} from '@bulwark/core';
import { readRegularFile, textOf } from '@bulwark/core/files';
import { checkRun, checkRunFolder, composeModel, engineOf, loadPlugins, openRunFolder } from '@bulwark/core/run';
import { restoreModel } from '@bulwark/core/trainer';
import { loadWeights, readLayersFacts, readWeightsFile } from '@bulwark/models';
import { importUserModule, loadConfig } from '../config/load.js';
import { refuseFlags } from '../terminal/flag-rules.js';
import { parseSpec } from './attack-specs.js';
import { pluginPolicy, type PluginFlags } from '../trust/policy.js';
import { completeFromFacts, needWhole } from './facts-of-file.js';
import { zooConfig } from './zoo.js';

/** What to evaluate, as given on the command line. */
export interface TargetFlags extends PluginFlags {
  readonly checkpoint?: string | undefined;
  readonly config?: string | undefined;
  readonly model?: string | undefined;
  readonly data?: string | undefined;
  readonly norm?: string | undefined;
  readonly epsilon?: string | undefined;
  readonly engine?: string | undefined;
  /** Name of the published model that a weights file holds. */
  readonly zoo?: string | undefined;
  /** Where in a weights file the network is. */
  readonly from?: string | undefined;
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
  /** What the model was trained for and on, as far as it is known. */
  readonly context: ModelContext;
  /** Folder for results. */
  readonly folder: string;
}

interface Opening {
  readonly registry: PluginRegistry;
  readonly warn: (text: string) => void;
}

type Json = Record<string, unknown>;

/** The first threat model of a config, where it has several. */
const firstThreat = ({ threat }: Json) => (Array.isArray(threat) ? threat[0] : threat) as Json | undefined;

/** The config with threat and engine of the command line laid over it; where they name a threat model, it is the only one. */
function withFlags(config: Json, { norm, epsilon, engine }: TargetFlags): Json {
  const own = engine ? { ...config, engine: parseSpec(engine) } : config;
  if (!norm && !epsilon) return config['threat'] === undefined ? { ...own, threat: {} } : own;
  const { threats: _others, ...evaluation } = (config['evaluation'] ?? {}) as Json;
  const threat = {
    ...firstThreat(config),
    ...(norm && { norm }),
    ...(epsilon && { epsilon: numberOrText(epsilon) }),
  };
  return { ...own, threat, ...(config['evaluation'] !== undefined && { evaluation }) };
}

const numberOrText = (text: string): number | string => (Number.isNaN(Number(text)) ? text : Number(text));

/** A plugin named on the command line, with options after colons: `npz:train=images.npz`. */
const named = (text: string | undefined) => (text === undefined ? undefined : parseSpec(text));

/** A config of flags alone: what does not matter to an evaluation takes any valid value. */
function bareConfig({ model, data, zoo }: TargetFlags): Json {
  const published = zoo === undefined ? {} : zooConfig(zoo);
  const given = {
    ...(model !== undefined && { model: named(model) }),
    ...(data !== undefined && { data: named(data) }),
  };
  return { ...published, ...given, objective: { use: 'natural' }, epochs: 1 };
}

/** A radius is of its norm: 8/255 in linf means something else in l2. @throws BulwarkError USAGE */
function checkNorm({ norm, epsilon }: TargetFlags, threat: { norm?: unknown; epsilon?: unknown } | undefined): void {
  const before = threat?.norm ?? 'linf';
  if (norm === undefined || epsilon !== undefined || threat?.epsilon === undefined || norm === before) return;
  throw new BulwarkError(
    'USAGE',
    `--norm ${norm} without --epsilon: the radius ${String(threat.epsilon)} is one in ${String(before)}`,
    { hint: `give the radius in ${norm}, too: --epsilon <radius>` },
  );
}

async function compose(run: CheckedRun, baseFolder: string, { warn }: Opening) {
  const engine = await engineOf({ ...run.config, reducedPrecision: false }, run.registry);
  const made = await composeModel(run.config, { registry: run.registry, baseFolder, warn, weightsFollow: true });
  return { ...made, config: run.config, registry: run.registry, engine };
}

async function openRun(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  const folder = openRunFolder(path, opening);
  refuseFlags(flags, ['config', 'model', 'data', 'from', 'zoo'], {
    because: `${path} is a run, which has its own config, model and data`,
    hint: 'leave them out, or give a weights file instead of the run',
  });
  const services = { ...opening, importModule: importUserModule, ...pluginPolicy(path, flags) };
  const kind = flags.checkpoint ?? (folder.checkpoints.has('best') ? 'best' : 'last');
  if (kind !== 'best' && kind !== 'last')
    throw new BulwarkError('USAGE', `--checkpoint is ${kind}`, { hint: 'give best or last' });
  const snapshot = folder.checkpoints.load(kind);
  const { config, baseFolder } = folder.frozen;
  checkNorm(flags, config.threat);
  const checked = await checkRunFolder(folder, services, withFlags(config as unknown as Json, flags));
  const target = await compose(checked, baseFolder, opening);
  restoreModel(snapshot, target.model);
  const { threat, objective } = folder.frozen.config;
  const context = { classNames: target.data.classNames, data: config.data.use, threat, objective: objective.use };
  return { ...target, context, what: `${kind} checkpoint of ${path}`, folder: join(path, 'evaluation', kind) };
}

/** Of the facts of a file, those that do not follow from the network. */
const knownOf = ({ classNames, threat, data, objective }: ModelContext): ModelContext => ({
  ...(classNames && { classNames }),
  ...(threat && { threat }),
  ...(data !== undefined && { data }),
  ...(objective !== undefined && { objective }),
});

async function openWeights(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  refuseFlags(flags, ['checkpoint'], {
    because: `${path} is a weights file; only runs have several checkpoints`,
    hint: 'leave it out, or give the run folder',
  });
  if (flags.config !== undefined)
    refuseFlags(flags, ['model', 'data', 'zoo'], {
      because: `--config names them already`,
      hint: 'give either --config, or --model and --data',
    });
  if (flags.zoo !== undefined)
    refuseFlags(flags, ['model'], { because: '--zoo names the model already', hint: 'give one of them' });
  const file = readWeightsFile(path);
  const { input, baseFolder } = flags.config
    ? await loadConfig(flags.config)
    : { input: bareConfig(flags), baseFolder: process.cwd() };
  const { warn } = opening;
  const registry = opening.registry.child();
  const importModule = importUserModule;
  await loadPlugins(flags.plugins ?? [], { registry, importModule, baseFolder: process.cwd() });
  checkNorm(flags, firstThreat(input) ?? file.facts?.threat);
  const completed = completeFromFacts(withFlags(input, flags), file, { registry, path });
  if (!flags.config) needWhole(completed.input);
  for (const note of completed.notes) warn(note);
  const checked = await checkRun(completed.input, { registry, baseFolder, importModule, warn });
  const target = await compose(checked, baseFolder, opening);
  for (const note of loadWeights(target.model, file, { from: flags.from }).notes) warn(note);
  const { classNames, name } = target.data;
  const context = { data: name, threat: target.config.threat, ...file.facts, classNames };
  return { ...target, context: knownOf(context), what: path, folder: join(dirname(path), 'evaluation') };
}

/** The model.json that a path means: itself, or the one in a folder that is no run. */
function layersFile(path: string, isFolder: boolean): string | undefined {
  if (isFolder) {
    const inside = join(path, 'model.json');
    return !existsSync(join(path, 'config.json')) && existsSync(inside) ? inside : undefined;
  }
  if (extname(path).toLowerCase() !== '.json') return undefined;
  try {
    const { modelTopology } = JSON.parse(textOf(readRegularFile(path))) as { modelTopology?: unknown };
    return modelTopology === undefined ? undefined : path;
  } catch {
    return undefined; // the reader of weights says what is wrong with it
  }
}

/** A model of TensorFlow.js brings its layers along; its data and the threat are given, or those of an export of ours. */
async function openLayers(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  refuseFlags(flags, ['checkpoint', 'from', 'zoo', 'model', 'config'], {
    because: `${path} is a layers model, which is whole`,
    hint: 'leave it out; --data and --epsilon say what to attack it on',
  });
  const facts = readLayersFacts(path);
  const model = { use: 'layers-model', path: resolve(path) };
  const registry = opening.registry.child();
  const importModule = importUserModule;
  await loadPlugins(flags.plugins ?? [], { registry, importModule, baseFolder: process.cwd() });
  checkNorm(flags, facts?.threat);
  const given = withFlags({ ...bareConfig(flags), model }, flags);
  const { input, notes } = completeFromFacts(given, facts ? { facts } : {}, { registry, path });
  needWhole(input);
  for (const note of notes) opening.warn(note);
  const checked = await checkRun(input, { registry, baseFolder: process.cwd(), importModule, warn: opening.warn });
  const target = await compose(checked, process.cwd(), opening);
  const context = {
    data: target.data.name,
    threat: target.config.threat,
    ...facts,
    classNames: target.data.classNames,
  };
  return { ...target, context: knownOf(context), what: path, folder: join(dirname(path), 'evaluation') };
}

/** Opens a run folder, a weights file or a layers model. @throws BulwarkError RUN_MISSING, CHECKPOINT_MISSING, WEIGHTS_INVALID, USAGE, ... */
export function openTarget(path: string, flags: TargetFlags, opening: Opening): Promise<Target> {
  if (!existsSync(path))
    throw new BulwarkError('RUN_MISSING', `${path} does not exist`, {
      hint: 'give a run folder (runs/<name>), a weights file (.safetensors, .pt) or a model.json',
    });
  const isFolder = statSync(path).isDirectory();
  const layers = layersFile(path, isFolder);
  if (layers !== undefined) return openLayers(layers, flags, opening);
  return isFolder ? openRun(path, flags, opening) : openWeights(path, flags, opening);
}
