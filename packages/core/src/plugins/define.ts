import { z } from 'zod';
import type { Plugin, PluginKind } from './plugin.js';

/** What an author writes. `options` is a Zod shape; each entry carries `.describe(...)` and its default. */
export type PluginDefinition<K extends PluginKind, Shape extends z.ZodRawShape> = Omit<
  Plugin<K, z.ZodObject<Shape>>,
  'kind' | 'options'
> & {
  readonly options?: Shape;
};

/**
 * Makes a plugin of any kind. Unknown options are refused when a config is composed.
 *
 * ```ts
 * const mine = definePlugin('regularizer', { name: 'mine', summary: '...', options: {}, create: () => ({ needs: [], penalty: ... }) });
 * ```
 */
export function definePlugin<K extends PluginKind, Shape extends z.ZodRawShape = Record<never, never>>(
  kind: K,
  definition: PluginDefinition<K, Shape>,
): Plugin<K> {
  const options = z.strictObject((definition.options ?? {}) as Shape) as unknown as z.ZodObject<Shape>;
  return Object.freeze({ ...definition, kind, options }) as unknown as Plugin<K>;
}

const definer =
  <K extends PluginKind>(kind: K) =>
  <Shape extends z.ZodRawShape = Record<never, never>>(definition: PluginDefinition<K, Shape>): Plugin<K> =>
    definePlugin(kind, definition);

export const defineObjective = definer('objective');
export const defineInnerOptimizer = definer('inner-optimizer');
export const defineRegularizer = definer('regularizer');
export const defineClassification = definer('classification');
export const defineWeightPerturber = definer('weight-perturber');
export const defineDataSource = definer('data');
export const defineAugmentation = definer('augmentation');
export const defineModel = definer('model');
export const defineAttack = definer('attack');
export const defineOptimizer = definer('optimizer');
export const defineSchedule = definer('schedule');
