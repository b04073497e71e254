import type { z } from 'zod';
import type { ImageShape } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import type { EngineSession } from '../engine/index.js';
import type {
  Attack,
  Augmentation,
  Callback,
  DataSource,
  InnerOptimizer,
  Launcher,
  Objective,
  Optimizer,
  PerExample,
  Schedule,
  WeightAverageMaker,
  WeightPerturber,
} from '../hooks/index.js';
import type { Random } from '../random.js';
import type { ThreatModel } from '../threat/index.js';
import type { Finding, RunPlan } from './findings.js';

/** What each kind of plugin makes. The four hooks first; everything else serves them. */
export interface PluginProducts {
  'inner-optimizer': InnerOptimizer;
  regularizer: PerExample;
  'weight-perturber': WeightPerturber;
  data: DataSource | Promise<DataSource>;
  objective: Objective;
  classification: PerExample;
  model: Classifier | Promise<Classifier>;
  attack: Attack;
  augmentation: Augmentation;
  optimizer: Optimizer;
  schedule: Schedule;
  average: WeightAverageMaker;
  engine: EngineSession | Promise<EngineSession>;
  callback: Callback;
  launcher: Launcher;
}

/** A kind of plugin. */
export type PluginKind = keyof PluginProducts;

/** All kinds of plugins, objectives first. */
export const pluginKinds = [
  'objective',
  'inner-optimizer',
  'regularizer',
  'classification',
  'weight-perturber',
  'data',
  'augmentation',
  'model',
  'attack',
  'optimizer',
  'schedule',
  'average',
  'engine',
  'callback',
  'launcher',
] as const satisfies readonly PluginKind[];

/** A section of a config that names a plugin, with that plugin's options beside the name. */
export interface PluginSpec {
  readonly use: string;
  readonly [option: string]: unknown;
}

/** What a plugin gets injected. It asks for what it needs and never reaches for a global. */
export interface PluginServices {
  /** Another plugin, by kind and spec. */
  make<K extends PluginKind>(kind: K, spec: PluginSpec): PluginProducts[K];
  /** The generator of a purpose; the same purpose always gives the same generator within a run. */
  random(purpose: string): Random;
  /**
   * True where a checkpoint or a weights file follows that has all weights of the model that is made: it need not read or draw any.
   * `random('initialisation')` then draws zeros, at once.
   */
  readonly weightsFollow?: boolean;
  /** True where only the costs of a run are wanted: a data source whose files are not there may give images of its shape, and says so. */
  readonly standIns?: boolean;
  readonly threat: ThreatModel;
  /** Of the data: known to models, not to data sources. */
  readonly inputShape: ImageShape;
  readonly classNames: readonly string[];
  /** Folder that relative paths in the config are resolved against. */
  readonly baseFolder: string;
  /** Tells the user something, once. */
  warn(message: string): void;
}

/** What a plugin's section in a config looks like: for types only, no plugin has it as a value. */
export interface Written<Name extends string, Input> {
  /** Never there. */
  readonly $config?: { readonly use: Name } & Input;
}

/** A plugin is a value: kind, name, options schema, factory. */
export interface Plugin<K extends PluginKind = PluginKind, S extends z.ZodObject = z.ZodObject> {
  readonly kind: K;
  /** Lower case with hyphens; the `use` of configs. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Paper and equation, with its arXiv number where there is one. */
  readonly cite?: string;
  /** Defaults and descriptions live here, once. */
  readonly options: S;
  /**
   * What is wrong with options together, each of which is allowed: contradictions, which refuse a run before anything is read, and options that
   * change nothing in this run, which is said. Where one option alone decides whether another counts, `onlyWith` says so at that option.
   */
  examine?(options: z.output<S>, plan: RunPlan): readonly Finding[];
  /** Makes what the plugin stands for, from checked options. */
  create(options: z.output<S>, services: PluginServices): PluginProducts[K];
}
