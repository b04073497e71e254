import { z } from 'zod';
import { BulwarkError } from '../errors.js';
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
 * @example
 * ```ts
 * const power = definePlugin('regularizer', {
 *   name: 'power',
 *   summary: "Mean over classes of |z - z'|^power.",
 *   options: { power: number({ min: 1 }).default(2).describe('of the distance') },
 *   create:
 *     ({ power }) =>
 *     ({ z }) =>
 *       tf.mean(tf.pow(tf.abs(tf.sub(z.natural, z.adversarial)), power), 1) as tf.Tensor1D,
 * });
 * power.options.parse({}); // => { "power": 2 }
 * power.options.parse({ pwoer: 3 }); // throws
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
 * @example
 * ```ts
 * const pairing = defineObjective({
 *   name: 'pairing',
 *   summary: 'Squared distance of natural and noisy logits.',
 *   options: { beta: weight(0.5, 'the pairing') },
 *   create: ({ beta }) => ({
 *     points: {
 *       noisy: ({ images }, { threat, random }) =>
 *         clipToPixelRange(
 *           tf.add(images, threat.norm.randomStart(random, { shape: images.shape, epsilon: threat.epsilon })),
 *         ),
 *     },
 *     loss: {
 *       classification: ({ z, y }) => crossEntropy(z.natural, y),
 *       pairing: weighted(beta, ({ z }) => meanSquared(z.natural, z['noisy']!)),
 *     },
 *   }),
 * });
 * pairing.options.parse({}); // => { "beta": 0.5 }
 * const services = { classNames: ['cat', 'dog'], inputShape: [8, 8, 3] } as unknown as PluginServices;
 * pairing.create(pairing.options.parse({}), services).passes.map(({ role }) => role); // => ["natural", "noisy"]
 * ```
 * @category Plugins
 */
export function defineObjective<const Name extends string, Shape extends z.ZodRawShape = Record<never, never>>(
  definition: ObjectiveDefinition<Shape> & { readonly name: Name },
): Plugin<'objective'> & Written<Name, z.input<z.ZodObject<Shape>>> {
  const options = z.strictObject((definition.options ?? {}) as Shape) as unknown as z.ZodObject<Shape>;
  const create = (given: z.output<z.ZodObject<Shape>>, services: PluginServices) => {
    const form = definition.create(given, services);
    try {
      return objectiveOf(form, { classes: services.classNames.length, inputShape: services.inputShape });
    } catch (cause) {
      if (!(cause instanceof BulwarkError)) throw cause;
      throw new BulwarkError(cause.code, `objective ${definition.name}: ${cause.message}`, { hint: cause.hint, cause });
    }
  };
  return Object.freeze({ ...definition, kind: 'objective', options, create }) as unknown as Plugin<'objective'>;
}

/**
 * Makes an inner optimizer; see `definePlugin`.
 * @example
 * ```ts
 * const noise = defineInnerOptimizer({
 *   name: 'noise',
 *   summary: 'A random point of the ball.',
 *   create: () => ({
 *     produces: ['adversarial'],
 *     craft: ({ images }, { threat, random }) => {
 *       const moved = threat.norm.randomStart(random, { shape: images.shape, epsilon: threat.epsilon });
 *       return { points: { adversarial: clipToPixelRange(tf.add(images, moved)) } };
 *     },
 *   }),
 * });
 * noise.create({}, {} as PluginServices).produces; // => ["adversarial"]
 * ```
 * @category Plugins
 */
export const defineInnerOptimizer = definer('inner-optimizer');
/**
 * Makes a regularizer; see `definePlugin`.
 * @example
 * ```ts
 * const squared = defineRegularizer({
 *   name: 'squared',
 *   summary: 'Mean squared distance of the logits.',
 *   create:
 *     () =>
 *     ({ z }) =>
 *       meanSquared(z.natural, z.adversarial),
 * });
 * const z = { natural: tf.tensor2d([[1, 3]]), adversarial: tf.tensor2d([[1, 1]]) };
 * squared.create({}, {} as PluginServices)({ z } as unknown as Views); // => [2]
 * ```
 * @category Plugins
 */
export const defineRegularizer = definer('regularizer');
/**
 * Makes a classification term; see `definePlugin`.
 * @example
 * ```ts
 * const both = defineClassification({
 *   name: 'both',
 *   summary: 'Cross-entropy of image and neighbour, halved.',
 *   create:
 *     () =>
 *     ({ z, y }) =>
 *       tf.mul(0.5, tf.add(crossEntropy(z.natural, y), crossEntropy(z.adversarial, y))),
 * });
 * const z = { natural: tf.tensor2d([[0, 0]]), adversarial: tf.tensor2d([[0, 0]]) };
 * both.create({}, {} as PluginServices)({ z, y: tf.tensor2d([[1, 0]]) } as unknown as Views); // => [0.693147]
 * ```
 * @category Plugins
 */
export const defineClassification = definer('classification');
/**
 * Makes a weight perturber; see `definePlugin`.
 * @example
 * ```ts
 * const shrink = defineWeightPerturber({
 *   name: 'shrink',
 *   summary: 'Differentiates at weights that are smaller by a share.',
 *   options: { share: number({ min: 0, max: 1 }).default(0.01).describe('of each weight') },
 *   create: ({ share }) => ({
 *     perturb: ({ model }) =>
 *       new Map([...model.parameters].map(([name, value]) => [name, tf.mul(-share, value)])),
 *   }),
 * });
 * shrink.options.parse({}); // => { "share": 0.01 }
 * ```
 * @category Plugins
 */
export const defineWeightPerturber = definer('weight-perturber');
/**
 * Makes a data source; see `definePlugin`.
 * @example
 * ```ts
 * const grey = defineDataSource({
 *   name: 'grey',
 *   summary: 'Dark images and bright ones.',
 *   options: { count: integer({ min: 2 }).default(10).describe('images in each part') },
 *   create: ({ count }) => {
 *     const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
 *     const part = {
 *       images: Uint8Array.from({ length: 4 * count }, (_, i) => (Math.floor(i / 4) % 2) * 255),
 *       labels,
 *       shape: [2, 2, 1] as const,
 *     };
 *     return {
 *       name: 'grey',
 *       shape: part.shape,
 *       classNames: ['dark', 'bright'],
 *       train: part,
 *       validation: part,
 *       test: part,
 *       notes: [],
 *     };
 *   },
 * });
 * const data = await grey.create({ count: 4 }, {} as PluginServices);
 * countOf(data.train); // => 4
 * ```
 * @category Plugins
 */
export const defineDataSource = definer('data');
/**
 * Makes an augmentation; see `definePlugin`.
 * @example
 * ```ts
 * const invert = defineAugmentation({
 *   name: 'invert',
 *   summary: 'Every image as its negative.',
 *   create: () => ({ apply: (batch) => ({ ...batch, pixels: batch.pixels.map((x) => 1 - x) }) }),
 * });
 * const batch = {
 *   pixels: Float32Array.of(0, 0.25),
 *   labels: Int32Array.of(0),
 *   shape: [1, 2, 1] as const,
 *   classes: 3,
 * };
 * invert.create({}, {} as PluginServices).apply(batch, createRandom(1)).pixels; // => [1, 0.75]
 * ```
 * @category Plugins
 */
export const defineAugmentation = definer('augmentation');
/**
 * Makes a model; see `definePlugin`.
 * @example
 * ```ts
 * const linear = defineModel({
 *   name: 'linear',
 *   summary: 'Logistic regression.',
 *   create: (_options, { inputShape, classNames, random }) => {
 *     const graph = networkGraph([...inputShape], (g) =>
 *       g.linear('fc', g.flatten(g.input), { units: classNames.length }),
 *     );
 *     return createNetwork(graph, { name: 'linear', random: random('initialisation') });
 *   },
 * });
 * const services = {
 *   inputShape: [2, 2, 1],
 *   classNames: ['cat', 'dog'],
 *   random: (purpose: string) => createRandom(1, purpose),
 * };
 * parameterCount(await linear.create({}, services as unknown as PluginServices)); // => 10
 * ```
 * @category Plugins
 */
export const defineModel = definer('model');
/**
 * Makes an evaluation attack; see `definePlugin`.
 * @example
 * ```ts
 * const corners = defineAttack({
 *   name: 'corners',
 *   summary: 'All pixels brighter by epsilon.',
 *   create: () => ({
 *     label: 'corners',
 *     settings: {},
 *     run: (images, _labels, { threat }) => clipToPixelRange(tf.add(images, threat.epsilon)),
 *   }),
 * });
 * corners.create({}, {} as PluginServices).label; // => "corners"
 * ```
 * @category Plugins
 */
export const defineAttack = definer('attack');
/**
 * Makes an optimizer; see `definePlugin`.
 * @example
 * ```ts
 * const descent = defineOptimizer({
 *   name: 'descent',
 *   summary: 'Plain gradient descent.',
 *   options: { learningRate: number({ above: 0 }).default(0.1).describe('base learning rate') },
 *   create: ({ learningRate }) => ({
 *     learningRate,
 *     apply: (parameters, gradients, rate) =>
 *       gradients.forEach((g, name) =>
 *         parameters.get(name)!.assign(tf.tidy(() => tf.sub(parameters.get(name)!, tf.mul(rate, g)))),
 *       ),
 *     decayed: (gradients) => gradients,
 *     slots: () => new Map(),
 *     restoreSlots: () => undefined,
 *     dispose: () => undefined,
 *   }),
 * });
 * const w = tf.variable(tf.tensor1d([1, 2]));
 * descent
 *   .create({ learningRate: 0.5 }, {} as PluginServices)
 *   .apply(new Map([['w', w]]), new Map([['w', tf.tensor1d([1, -1])]]), 0.5);
 * w; // => [0.5, 2.5]
 * ```
 * @category Plugins
 */
export const defineOptimizer = definer('optimizer');
/**
 * Makes a learning-rate schedule; see `definePlugin`.
 * @example
 * ```ts
 * const halves = defineSchedule({
 *   name: 'halves',
 *   summary: 'Half the rate after half the run.',
 *   create: () => ({ factor: ({ epoch, epochs }) => (epoch < epochs / 2 ? 1 : 0.5) }),
 * });
 * halves.create({}, {} as PluginServices).factor({ epoch: 5, epochs: 10, step: 0, stepsPerEpoch: 100 }); // => 0.5
 * ```
 * @category Plugins
 */
export const defineSchedule = definer('schedule');
/**
 * Makes a weight average; see `definePlugin`.
 * @example
 * ```ts
 * const latest = defineAverage({
 *   name: 'latest',
 *   summary: 'The weights as the last epoch left them.',
 *   create: () => () => {
 *     const copies = new Map<string, tf.Tensor>();
 *     const clear = () => {
 *       tf.dispose([...copies.values()]);
 *       copies.clear();
 *     };
 *     const hold = (values: Iterable<readonly [string, tf.Tensor]>) => {
 *       clear();
 *       for (const [name, value] of values) copies.set(name, value.clone());
 *     };
 *     return {
 *       state: { save: () => ({ tensors: copies, values: null }), restore: ({ tensors }) => hold(tensors) },
 *       afterStep: () => undefined,
 *       afterEpoch: (model) => hold([...model.parameters].map(([name, value]) => [`model/${name}`, value])),
 *       dispose: clear,
 *     };
 *   },
 * });
 * const model = { parameters: new Map([['fc.bias', tf.variable(tf.tensor1d([1, 2]))]]) } as unknown as Classifier;
 * const average = latest.create({}, {} as PluginServices)({ model, steps: 10, epochs: 1 });
 * await average.afterEpoch(model, {} as EpochEnd);
 * average.state.save().tensors.get('model/fc.bias'); // => [1, 2]
 * ```
 * @category Plugins
 */
export const defineAverage = definer('average');
/**
 * Makes a callback, which looks on while a run trains; see `definePlugin`.
 * @example
 * ```ts
 * const seen: number[] = [];
 * const losses = defineCallback({
 *   name: 'losses',
 *   summary: 'Remembers losses.',
 *   options: { every: integer({ min: 1 }).default(10).describe('steps between two') },
 *   create: ({ every }) => ({
 *     step: ({ position, loss }) => {
 *       if (position % every === 0) seen.push(loss);
 *     },
 *   }),
 * });
 * losses.options.parse({}); // => { "every": 10 }
 * losses.create({ every: 2 }, {} as PluginServices).step!({ position: 4, loss: 0.5 } as StepSeen);
 * seen; // => [0.5]
 * ```
 * @category Plugins
 */
export const defineCallback = definer('callback');
/**
 * Makes a launcher; see `definePlugin`. Of the services it has `baseFolder` and `warn` only: there is no run.
 * @example
 * ```ts
 * const nobody = defineLauncher({
 *   name: 'nobody',
 *   summary: 'Takes no job: for a look at what would be launched.',
 *   create: () => ({
 *     description: 'nowhere',
 *     capacity: Infinity,
 *     pollSeconds: 1,
 *     settleSeconds: 0,
 *     attached: true,
 *     submit: async () => ({ taken: 0, refused: 'nothing is launched' }),
 *     look: async (handles) => handles.map(() => ({ state: 'gone' as const })),
 *     cancel: async () => undefined,
 *   }),
 * });
 * await nobody.create({}, {} as PluginServices).submit([], () => undefined); // => { "taken": 0, "refused": "nothing is launched" }
 * ```
 * @category Plugins
 */
export const defineLauncher = definer('launcher');
