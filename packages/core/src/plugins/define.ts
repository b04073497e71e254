import { z } from 'zod';
import type { Plugin, PluginKind } from './plugin.js';

/** Engines are made with `defineEngine`, which asks for more. */
type DefinedKind = Exclude<PluginKind, 'engine'>;

/** What an author writes. `options` is a Zod shape; each entry carries `.describe(...)` and its default. */
export type PluginDefinition<K extends DefinedKind, Shape extends z.ZodRawShape> = Omit<
  Plugin<K, z.ZodObject<Shape>>,
  'kind' | 'options'
> & {
  readonly options?: Shape;
};

/**
 * Makes a plugin of any kind but `engine`, for which there is `defineEngine`. Unknown options are refused when a config is composed.
 *
 * ```ts
 * const mine = definePlugin('regularizer', { name: 'mine', summary: '...', options: {}, create: () => ({ needs: [], penalty: ... }) });
 * ```
 */
export function definePlugin<K extends DefinedKind, Shape extends z.ZodRawShape = Record<never, never>>(
  kind: K,
  definition: PluginDefinition<K, Shape>,
): Plugin<K> {
  const options = z.strictObject((definition.options ?? {}) as Shape) as unknown as z.ZodObject<Shape>;
  return Object.freeze({ ...definition, kind, options }) as unknown as Plugin<K>;
}

const definer =
  <K extends DefinedKind>(kind: K) =>
  <Shape extends z.ZodRawShape = Record<never, never>>(definition: PluginDefinition<K, Shape>): Plugin<K> =>
    definePlugin(kind, definition);

/** Makes an objective; see `definePlugin`. */
export const defineObjective = definer('objective');
/** Makes an inner optimizer; see `definePlugin`. */
export const defineInnerOptimizer = definer('inner-optimizer');
/** Makes a regularizer; see `definePlugin`. */
export const defineRegularizer = definer('regularizer');
/** Makes a classification term; see `definePlugin`. */
export const defineClassification = definer('classification');
/** Makes a weight perturber; see `definePlugin`. */
export const defineWeightPerturber = definer('weight-perturber');
/** Makes a data source; see `definePlugin`. */
export const defineDataSource = definer('data');
/** Makes an augmentation; see `definePlugin`. */
export const defineAugmentation = definer('augmentation');
/** Makes a model; see `definePlugin`. */
export const defineModel = definer('model');
/** Makes an evaluation attack; see `definePlugin`. */
export const defineAttack = definer('attack');
/** Makes an optimizer; see `definePlugin`. */
export const defineOptimizer = definer('optimizer');
/** Makes a learning-rate schedule; see `definePlugin`. */
export const defineSchedule = definer('schedule');
/** Makes a callback, which looks on while a run trains; see `definePlugin`. */
export const defineCallback = definer('callback');
/** Makes a launcher; see `definePlugin`. Of the services it has `baseFolder` and `warn` only: there is no run. */
export const defineLauncher = definer('launcher');
