import * as tf from '../tensor/index.js';
import { disposeBatch, type Batch } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import type { CraftContext, Crafted, InnerOptimizer } from '../hooks/index.js';
import type { ThreatModel } from '../threat/index.js';
import { numbers, promise, promiseEqual, promiseNoLeak, promiseTensor } from './contract.js';
import { craftContext, fixtureBatch, fixtureNetwork, threatOf, type ContractOptions } from './fixture.js';

/** How far float32 rounding may carry a point over the edge of the ball. */
const rounding = 1e-5;

/** All weights, or all running statistics, as numbers. */
export const valuesOf = (variables: ReadonlyMap<string, tf.Tensor>): number[] =>
  [...variables.values()].flatMap((variable) => numbers(variable));

/** Points of the batch's shape, finite, in [0, 1] and in the ball, unless they may be anywhere. */
export function promiseInBall(
  point: tf.Tensor4D,
  options: { what: string; images: tf.Tensor4D; threat: ThreatModel; anywhere?: boolean | undefined },
): void {
  const { what, images, threat, anywhere } = options;
  promiseTensor(point, { what, shape: images.shape });
  const values = numbers(point);
  const outside = values.find((value) => value < 0 || value > 1);
  promise(outside === undefined, () => `${what} has a pixel of ${outside}; allowed is [0, 1]`);
  if (anywhere) return;
  const far = tf.tidy(() => Math.max(...numbers(threat.norm.measure(tf.sub(point, images) as tf.Tensor4D))));
  promise(
    far <= threat.epsilon * (1 + rounding) + rounding,
    () => `${what} lies ${far} away from its image in ${threat.norm.name}; epsilon is ${threat.epsilon}`,
  );
}

export const disposeCrafted = ({ points, facts }: Crafted): void =>
  tf.dispose([...Object.values(points), ...Object.values(facts ?? {})]);

/** Crafts on the fixture and hands everything over; frees it afterwards. */
export function withCrafted<T>(
  inner: InnerOptimizer,
  options: ContractOptions,
  use: (parts: { crafted: Crafted; batch: Batch; model: Classifier }) => T,
  more: { context?: Partial<CraftContext>; labels?: readonly number[] } = {},
): T {
  const model = fixtureNetwork();
  const batch = fixtureBatch(more.labels);
  const crafted = inner.craft(batch, craftContext(model, options, more.context));
  try {
    return use({ crafted, batch, model });
  } finally {
    disposeCrafted(crafted);
    disposeBatch(batch);
    model.dispose();
  }
}

/** Everything that crafting promises, for inner optimizers and for the objectives that have one. */
export function craftChecks(
  make: () => InnerOptimizer,
  options: ContractOptions & { readonly updatesStatistics?: boolean },
): Record<string, () => void | Promise<void>> {
  const threat = threatOf(options);
  const snapshot = (crafted: Crafted) => Object.values({ ...crafted.points, ...crafted.facts }).flatMap(numbers);
  return {
    'crafts the points that it says, finite, in [0, 1] and in the ball'() {
      const inner = make();
      for (const labels of [undefined, [1], [2, 2, 2], [0, -1, 2, -1]])
        withCrafted(
          inner,
          options,
          ({ crafted, batch }) => {
            promiseEqual([Object.keys(crafted.points).length], [inner.produces.length], 'number of points');
            for (const role of inner.produces) {
              const point = crafted.points[role];
              promise(
                point !== undefined,
                () => `it produces ${role}, but crafts only ${Object.keys(crafted.points).join(', ')}`,
              );
              const what = `the ${role} point`;
              if (inner.beyond?.includes(role)) promiseTensor(point!, { what, shape: batch.images.shape });
              else promiseInBall(point!, { what, images: batch.images, threat });
            }
            promise(!inner.produces.includes('natural'), () => 'natural is the image itself, and cannot be crafted');
            for (const [name, fact] of Object.entries(crafted.facts ?? {}))
              promise(
                fact.shape[0] === batch.labels.size,
                () => `the fact ${name} has shape [${fact.shape}] for ${batch.labels.size} examples`,
              );
          },
          { labels },
        );
    },
    'trains on the images themselves where epsilon is 0'() {
      const inner = make();
      withCrafted(
        inner,
        options,
        ({ crafted, batch }) => {
          for (const [role, point] of Object.entries(crafted.points))
            if (!inner.beyond?.includes(role))
              promiseInBall(point, {
                what: `the ${role} point`,
                images: batch.images,
                threat: { ...threat, epsilon: 0 },
              });
        },
        { context: { threat: { ...threat, epsilon: 0 } } },
      );
    },
    'keeps each example to its own radius, where it says that it follows radii'() {
      const inner = make();
      if (!inner.followsRadii) return;
      const own = [0, 0.5, 1, 2, 0.25, 1];
      const radii = tf.tensor4d(
        own.map((share) => share * threat.epsilon),
        [own.length, 1, 1, 1],
      );
      withCrafted(
        inner,
        options,
        ({ crafted, batch }) =>
          Object.entries(crafted.points).forEach(([role, point]) => {
            if (inner.beyond?.includes(role)) return;
            const lengths = numbers(tf.tidy(() => threat.norm.measure(tf.sub(point, batch.images) as tf.Tensor4D)));
            own.forEach((share, i) => {
              const most = share * threat.epsilon;
              promise(
                lengths[i]! <= most * (1 + rounding) + rounding,
                () => `the ${role} point of example ${i} lies ${lengths[i]} away; its own radius is ${most}`,
              );
            });
          }),
        { context: { threat: { ...threat, radii } } },
      );
      radii.dispose();
    },
    'leaves images, weights and running statistics alone while crafting'() {
      const [model, batch] = [fixtureNetwork(), fixtureBatch()];
      const images = numbers(batch.images);
      const before = [valuesOf(model.parameters), valuesOf(model.statistics)] as const;
      disposeCrafted(make().craft(batch, craftContext(model, options)));
      promiseEqual(numbers(batch.images), images, 'the images after crafting');
      promiseEqual(valuesOf(model.parameters), before[0], 'the weights after crafting');
      if (!options.updatesStatistics)
        promiseEqual(valuesOf(model.statistics), before[1], 'the running statistics after crafting');
      disposeBatch(batch);
      model.dispose();
    },
    'crafts the same points from the same generator'() {
      const once = () => withCrafted(make(), options, ({ crafted }) => snapshot(crafted));
      promiseEqual(once(), once(), 'points crafted a second time');
    },
    'leaves no tensor behind when crafting'() {
      const inner = make();
      return promiseNoLeak('crafting', () => withCrafted(inner, options, () => undefined));
    },
  };
}
