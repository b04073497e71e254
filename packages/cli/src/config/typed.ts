import type {
  AttackPlugin,
  CoreEngine,
  OptimizerOrSchedulePlugin,
  Plugin,
  PluginKind,
  RunConfigInput,
} from '@bulwark/core';
import type { PluginSection } from '@bulwark/core/plugins';
import type { AugmentationPlugin, DataPlugin } from '@bulwark/datasets';
import type { torch } from '@bulwark/engine-torch';
import type { ModelPlugin } from '@bulwark/models';
import type { ObjectivePlugin } from '@bulwark/objectives';
import type { FileLogger } from '../logs/loggers.js';
import type { mlflow } from '../logs/mlflow.js';
import type { wandb } from '../logs/wandb.js';

type Known =
  | ObjectivePlugin
  | AttackPlugin
  | OptimizerOrSchedulePlugin
  | AugmentationPlugin
  | DataPlugin
  | ModelPlugin
  | CoreEngine
  | typeof torch
  | FileLogger
  | typeof mlflow
  | typeof wandb;

/** The kind of plugin that an option names; never, if it names none. */
type KindNamed<T> = T extends PluginSection<infer K> ? K : never;

/** An option, with the sections of the plugins that it may name. */
type Option<T> = [SpecOfKind<KindNamed<T>>] extends [never] ? T : Section<KindNamed<T>> | Extract<T, undefined>;

/** One object type, which errors and completion show as such. */
type Flat<T> = { [Key in keyof T]: Option<T[Key]> };

/** What a plugin's section looks like. */
type SpecOf<P> = P extends { readonly $config?: infer Spec } ? Flat<NonNullable<Spec>> : never;
type SpecOfKind<K extends PluginKind> = SpecOf<Extract<Known, { readonly kind: K }>>;

declare const own: unique symbol;
/** The section of a plugin of one's own, as `use` makes it. */
export interface OwnSection<K extends PluginKind> {
  readonly [own]: K;
}

/** Names a plugin of this kind: a bare name, a section, or `use` of one's own. */
export type Section<K extends PluginKind> = SpecOfKind<K>['use'] | SpecOfKind<K> | OwnSection<K>;

type Optional<T> = T | undefined;

/** The optimizer's section holds the schedule, too. */
type OptimizerSection =
  SpecOfKind<'optimizer'> extends infer Spec
    ? Spec extends { readonly use: string }
      ? Flat<Omit<Spec, 'use'> & { readonly use?: Spec['use'] } & OptimizerExtras> | Flat<Spec & OptimizerExtras>
      : never
    : never;
interface OptimizerExtras {
  readonly schedule?: Optional<Section<'schedule'>>;
  readonly clipNorm?: Optional<number | string>;
}

/** The data section holds what the run makes of the images, too. */
type DataSection<Spec> = Spec extends { readonly use: string } ? Flat<Spec & DataExtras> : never;
interface DataExtras {
  readonly batchSize?: Optional<number | string>;
  readonly accumulate?: Optional<number | string>;
  readonly augment?: Optional<readonly Section<'augmentation'>[]>;
}

/** The optional peers of this package that bring an engine, which is named as the package is. */
type EnginePackages = '@bulwark/engine-tensorflow' | '@bulwark/engine-webgpu';
type NameIn<Package> = Package extends `@bulwark/engine-${infer Name}` ? Name : never;

/** An engine whose package need not be installed, which the types must not need either. */
interface PackagedEngine {
  readonly use: NameIn<EnginePackages>;
  readonly [option: string]: unknown;
}

/**
 * A config with the options of the plugins that come with Bulwark: methods, perturbers, attacks, augmentations, optimizers, schedules,
 * averages, callbacks, models, data sources, engines. Options of the engines that are packages of their own are checked when the config is read.
 */
export type Config = Omit<
  RunConfigInput,
  'objective' | 'model' | 'engine' | 'weightPerturber' | 'optimizer' | 'averaging' | 'callbacks' | 'evaluation' | 'data'
> & {
  readonly objective: Section<'objective'>;
  readonly model: Section<'model'>;
  readonly engine?: Optional<
    'auto' | { readonly use: 'auto' } | PackagedEngine['use'] | PackagedEngine | Section<'engine'>
  >;
  readonly weightPerturber?: Optional<Section<'weight-perturber'>>;
  readonly optimizer?: Optional<OptimizerSection | OwnSection<'optimizer'>>;
  readonly averaging?: Optional<Section<'average'>>;
  readonly callbacks?: Optional<readonly Section<'callback'>[]>;
  readonly evaluation?: Optional<
    Omit<NonNullable<RunConfigInput['evaluation']>, 'attacks'> & {
      readonly attacks?: Optional<readonly Section<'attack'>[]>;
    }
  >;
  readonly data: DataSection<SpecOfKind<'data'>> | (OwnSection<'data'> & DataExtras);
};

declare const checked: unique symbol;
/** A config that `defineConfig` has seen. */
export type DefinedConfig = RunConfigInput & { readonly [checked]: true };

/** Gives a config its type: completion, and errors for plugins and options that do not exist, while one writes. */
export const defineConfig = (config: Config): DefinedConfig => config as unknown as DefinedConfig;

/**
 * The section of a plugin of one's own, with its options checked by their types; `plugins` of the config names its file, too.
 *
 * ```ts
 * defineConfig({ plugins: ['./logit-pairing.ts'], objective: use(logitPairing, { beta: 0.5 }), ... })
 * ```
 */
export const use = <K extends PluginKind, Spec extends { readonly use: string }>(
  plugin: Plugin<K> & { readonly $config?: Spec },
  ...[options]: Record<never, never> extends Omit<Spec, 'use'>
    ? [options?: NoInfer<Omit<Spec, 'use'>>]
    : [options: NoInfer<Omit<Spec, 'use'>>]
): OwnSection<K> => ({ use: plugin.name, ...options }) as unknown as OwnSection<K>;
