import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  BulwarkError,
  blankRandom,
  classifierOfLayers,
  createRegistry,
  type ArchitectureSpec,
  type Classifier,
  type ModelFacts,
  type Plugin,
  type PluginServices,
} from '@bulwark/core';
import { firstWrong } from '@bulwark/core/files';
import { openRunFolder, threatOf } from '@bulwark/core/run';
import { restoreModel } from '@bulwark/core/trainer';
import { readLayersFacts, readLayersModel } from '../layers/files.js';
import { modelPlugins } from '../plugins.js';
import { loadWeights } from '../weights/load.js';
import { readWeightsFile } from '../weights/read.js';
import { architectureOf } from './architecture-of.js';

/** What may be said of a model that its file leaves open. */
export interface OpenOptions {
  /** Facts that the file does not have, for files of other tools; those that it has must not be contradicted. */
  readonly facts?: Partial<ModelFacts>;
  /** Model plugins of your own, for models that they made. */
  readonly plugins?: readonly Plugin[];
  /** Of a run: which checkpoint; default: best if there is one, else last. */
  readonly checkpoint?: 'best' | 'last';
  /** Where in a weights file the network is, if several fit: `state_dict_ema`. */
  readonly from?: string;
  /** Is told what the user should know; default: nobody. */
  readonly warn?: (message: string) => void;
}

/** A model with all that has to be known to use it. */
export interface OpenedModel {
  /** The caller disposes it. */
  readonly classifier: Classifier;
  readonly facts: ModelFacts;
  /** One name per logit: those of the facts, or `0`, `1`, ... */
  readonly classNames: readonly string[];
}

const opened = (classifier: Classifier, facts: ModelFacts): OpenedModel => ({
  classifier,
  facts,
  classNames: facts.classNames ?? Array.from({ length: facts.classes }, (_, i) => String(i)),
});

/** The classifier of an architecture with weights of 0, by a built-in plugin or one of the caller's. */
async function blankModel(
  architecture: ArchitectureSpec,
  facts: ModelFacts,
  { plugins = [], warn = () => {}, baseFolder = '.' }: OpenOptions & { baseFolder?: string },
): Promise<Classifier> {
  const registry = createRegistry([...modelPlugins, ...plugins]);
  const services: PluginServices = {
    make(kind, { use, ...given }) {
      const plugin = registry.find(kind, use);
      return plugin.create(plugin.options.parse(given), services) as never;
    },
    random: () => blankRandom,
    weightsFollow: true,
    threat: threatOf({ threat: (facts.threat ?? { norm: 'linf', epsilon: 0 }) as never }),
    inputShape: facts.inputShape,
    classNames: facts.classNames ?? new Array<string>(facts.classes).fill(''),
    baseFolder,
    warn,
  };
  const { use, ...options } = architecture;
  const plugin = known(registry.list('model'), use);
  const { data, error } = plugin.options.safeParse(options);
  if (data) return plugin.create(data, services) as Classifier | Promise<Classifier>;
  throw new BulwarkError(
    'MODEL_INVALID',
    `the architecture ${use} cannot be built: ${firstWrong(error, options, use)}`,
    {
      hint: `its options are ${Object.keys(plugin.options.shape).join(', ')}`,
    },
  );
}

function known(plugins: readonly Plugin[], use: string): Plugin {
  const plugin = plugins.find(({ name }) => name === use);
  if (plugin) return plugin;
  throw new BulwarkError(
    'PLUGIN_UNKNOWN',
    `the model was made by the plugin ${JSON.stringify(use)}, which is not here`,
    {
      hint: 'give it in the option `plugins`, or export the model from where the plugin is (`bulwark export --to tfjs`, `--to onnx`)',
    },
  );
}

async function fromRun(path: string, options: OpenOptions): Promise<OpenedModel> {
  const { checkpoints, frozen } = openRunFolder(path, options.warn ? { warn: options.warn } : {});
  const snapshot = checkpoints.load(options.checkpoint ?? (checkpoints.has('best') ? 'best' : 'last'));
  const stored = { ...options.facts, ...snapshot.facts };
  const { inputShape, classes } = stored;
  if (!inputShape || classes === undefined)
    throw new BulwarkError(
      'CHECKPOINT_CORRUPT',
      `${path} was written by an older Bulwark: its checkpoint does not say what images it takes`,
      {
        hint: 'give the option `facts: { inputShape, classes }`',
      },
    );
  const facts: ModelFacts = { ...stored, inputShape, classes };
  // where a user's own layers model lies, the config says; facts name no places
  const ofConfig = frozen.config.model as ArchitectureSpec;
  const { architecture = ofConfig } = facts;
  const spec = architecture.use === ofConfig.use ? { ...ofConfig, ...architecture } : architecture;
  const classifier = await blankModel(spec, facts, { ...options, baseFolder: frozen.baseFolder });
  return freeingOnError(classifier, () => {
    restoreModel(snapshot, classifier);
    return opened(classifier, facts);
  });
}

async function fromLayers(path: string, options: OpenOptions): Promise<OpenedModel> {
  const classifier = classifierOfLayers(await readLayersModel(path), { name: 'layers-model' });
  return freeingOnError(classifier, () => {
    const { inputShape, classes } = classifier;
    return opened(classifier, { ...options.facts, ...readLayersFacts(path), inputShape, classes });
  });
}

async function fromWeights(path: string, options: OpenOptions): Promise<OpenedModel> {
  const file = readWeightsFile(path);
  const facts = architectureOf(file, options.facts ?? {});
  const classifier = await blankModel(facts.architecture, facts, options);
  return freeingOnError(classifier, () => {
    const { notes } = loadWeights(classifier, file, { from: options.from });
    for (const note of notes) options.warn?.(note);
    return opened(classifier, facts);
  });
}

function freeingOnError<T>(classifier: Classifier, work: () => T): T {
  try {
    return work();
  } catch (error) {
    classifier.dispose();
    throw error;
  }
}

/** The files by which an exported folder is known, in the order in which they are looked for. */
const exportedFiles = ['model.safetensors', 'model.safetensors.index.json', 'model.json'];

/**
 * Opens a finished model: a run folder, a weights file, a `model.json` of TensorFlow.js, or the folder that an export wrote. Architecture,
 * normalisation and class names come from the file itself; no data set is read and nothing in the file is executed. An engine must be in use.
 * @throws BulwarkError RUN_MISSING, WEIGHTS_INVALID, MODEL_INVALID, CHECKPOINT_MISSING, CHECKPOINT_CORRUPT, PLUGIN_UNKNOWN
 */
export async function openModel(path: string, options: OpenOptions = {}): Promise<OpenedModel> {
  if (!existsSync(path))
    throw new BulwarkError('RUN_MISSING', `${resolve(path)} does not exist`, {
      hint: 'give a run folder, a weights file (.safetensors, .pt), a model.json, or the folder of an export',
    });
  if (!statSync(path).isDirectory())
    return path.endsWith('.json') && isLayers(path) ? fromLayers(path, options) : fromWeights(path, options);
  if (existsSync(join(path, 'config.json')) && existsSync(join(path, 'checkpoints'))) return fromRun(path, options);
  // an ONNX model cannot be opened; its reader says what it is
  const exported = [...exportedFiles, 'model.onnx'].find((name) => existsSync(join(path, name)));
  if (exported !== undefined) return openModel(join(path, exported), options);
  throw new BulwarkError(
    'RUN_MISSING',
    `${resolve(path)} is neither a run nor an export: it has no ${exportedFiles.join(' and no ')}`,
    {
      hint: 'give a run folder, a weights file (.safetensors, .pt), a model.json, or the folder of an export',
    },
  );
}

/** An index of shards is JSON, too. */
const isLayers = (path: string) => !path.endsWith('.index.json');
