import { z } from 'zod';
import { objectiveOf, type ObjectiveForm } from '../hooks/index.js';
import type { Plugin, PluginKind, PluginServices, Written } from './plugin.js';

/** Engines are made with `defineEngine`, which asks for more, objectives with `defineObjective`, which asks for less. */
type DefinedKind = Exclude<PluginKind, 'engine' | 'objective'>;

/** What an author writes. `options` is a Zod shape; each entry carries `.describe(...)` and its default. */
export type PluginDefinition<K extends DefinedKind, Shape extends z.ZodRawShape> = Omit<
  Plugin<K, z.ZodObject<Shape>>,
  'kind' | 'options'
> & {
  readonly options?: Shape;
};

/**
 * Makes a plugin of any kind but `engine` and `objective`, for which there are `defineEngine` and `defineObjective`. Unknown options are refused when a config is composed.
 *
 * ```ts
 * const mine = definePlugin('regularizer', { name: 'mine', summary: '...', options: {}, create: () => ({ z }) => ... });
 * ```
 * @category Plugins
 */
export function definePlugin<
  K extends DefinedKind,
  const Name extends string,
  Shape extends z.ZodRawShape = Record<never, never>,
>(
  kind: K,
  definition: PluginDefinition<K, Shape> & { readonly name: Name },
): Plugin<K> & Written<Name, z.input<z.ZodObject<Shape>>> {
  const options = z.strictObject((definition.options ?? {}) as Shape) as unknown as z.ZodObject<Shape>;
  return Object.freeze({ ...definition, kind, options }) as unknown as Plugin<K>;
}

const definer =
  <K extends DefinedKind>(kind: K) =>
  <const Name extends string, Shape extends z.ZodRawShape = Record<never, never>>(
    definition: PluginDefinition<K, Shape> & { readonly name: Name },
  ): Plugin<K> & Written<Name, z.input<z.ZodObject<Shape>>> =>
    definePlugin<K, Name, Shape>(kind, definition);

/** What an author of an objective writes: `create` gives the points and the loss, from checked options. */
export type ObjectiveDefinition<Shape extends z.ZodRawShape> = Omit<
  Plugin<'objective', z.ZodObject<Shape>>,
  'kind' | 'options' | 'create'
> & {
  readonly options?: Shape;
  /** The points and the loss, from checked options. */
  readonly create: (options: z.output<z.ZodObject<Shape>>, services: PluginServices) => ObjectiveForm;
};

/**
 * Makes an objective, a training method.
 *
 * ```ts
 * const mine = defineObjective({
 *   name: 'mine',
 *   summary: '...',
 *   options: { beta: weight(1) },
 *   create: ({ beta }) => ({
 *     points: { adversarial: (batch, context) => ... },
 *     loss: { classification: ({ z, y }) => crossEntropy(z.adversarial, y), pairing: weighted(beta, ({ z }) => kl(z.natural, z.adversarial)) },
 *   }),
 * });
 * ```
 * @category Plugins
 */
export function defineObjective<const Name extends string, Shape extends z.ZodRawShape = Record<never, never>>(
  definition: ObjectiveDefinition<Shape> & { readonly name: Name },
): Plugin<'objective'> & Written<Name, z.input<z.ZodObject<Shape>>> {
  const options = z.strictObject((definition.options ?? {}) as Shape) as unknown as z.ZodObject<Shape>;
  const create = (given: z.output<z.ZodObject<Shape>>, services: PluginServices) =>
    objectiveOf(definition.create(given, services), {
      classes: services.classNames.length,
      inputShape: services.inputShape,
    });
  return Object.freeze({ ...definition, kind: 'objective', options, create }) as unknown as Plugin<'objective'>;
}

/**
 * Makes an inner optimizer; see `definePlugin`.
 * @category Plugins
 */
export const defineInnerOptimizer = definer('inner-optimizer');
/**
 * Makes a regularizer; see `definePlugin`.
 * @category Plugins
 */
export const defineRegularizer = definer('regularizer');
/**
 * Makes a classification term; see `definePlugin`.
 * @category Plugins
 */
export const defineClassification = definer('classification');
/**
 * Makes a weight perturber; see `definePlugin`.
 * @category Plugins
 */
export const defineWeightPerturber = definer('weight-perturber');
/**
 * Makes a data source; see `definePlugin`.
 * @category Plugins
 */
export const defineDataSource = definer('data');
/**
 * Makes an augmentation; see `definePlugin`.
 * @category Plugins
 */
export const defineAugmentation = definer('augmentation');
/**
 * Makes a model; see `definePlugin`.
 * @category Plugins
 */
export const defineModel = definer('model');
/**
 * Makes an evaluation attack; see `definePlugin`.
 * @category Plugins
 */
export const defineAttack = definer('attack');
/**
 * Makes an optimizer; see `definePlugin`.
 * @category Plugins
 */
export const defineOptimizer = definer('optimizer');
/**
 * Makes a learning-rate schedule; see `definePlugin`.
 * @category Plugins
 */
export const defineSchedule = definer('schedule');
/**
 * Makes a callback, which looks on while a run trains; see `definePlugin`.
 * @category Plugins
 */
export const defineCallback = definer('callback');
/**
 * Makes a launcher; see `definePlugin`. Of the services it has `baseFolder` and `warn` only: there is no run.
 * @category Plugins
 */
export const defineLauncher = definer('launcher');
