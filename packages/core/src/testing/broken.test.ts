import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { attackStep } from '../attacks/index.js';
import { inputGradient, logitsOf, createNetwork } from '../classifier/index.js';
import { networkGraph } from '../network/index.js';
import type { InnerOptimizer, ObjectiveForm, PerExample, WeightedTerm } from '../hooks/index.js';
import { crossEntropy, stopGradient } from '../loss/index.js';
import {
  defineAttack,
  defineAugmentation,
  defineClassification,
  defineDataSource,
  defineInnerOptimizer,
  defineModel,
  defineObjective,
  defineOptimizer,
  defineRegularizer,
  defineSchedule,
  defineWeightPerturber,
  number,
  type Plugin,
  type PluginKind,
} from '../plugins/index.js';
import { createSgd } from '../trainer/index.js';
import { contractOf, describeObjective, type ContractOptionsOf, type TestFramework } from './index.js';

/** The sound inner optimizer that the broken ones differ from: one signed gradient step on cross-entropy. */
const oneStep: InnerOptimizer = {
  produces: ['adversarial'],
  craft: ({ images, labels }, { model, threat }) => ({
    points: {
      adversarial: tf.tidy(() => {
        const { gradient } = inputGradient(model, images, { loss: (logits) => crossEntropy(logits, labels) });
        return attackStep(images, gradient, { origin: images, threat, stepSize: threat.epsilon });
      }),
    },
  }),
};

const plain: PerExample = ({ z, y }) => crossEntropy(z.adversarial, y);

const sound: ObjectiveForm = { points: oneStep, loss: { classification: plain } };

const words = { name: 'broken', summary: 'Wrong on purpose.' };
const objective = (change: Partial<ObjectiveForm>) =>
  defineObjective({ ...words, create: () => ({ ...sound, ...change }) });
const term = (classification: PerExample | WeightedTerm) => objective({ loss: { classification } });
const inner = (craft: InnerOptimizer['craft'], produces = ['adversarial']) =>
  defineInnerOptimizer({ ...words, create: () => ({ produces, craft }) });

/** Names of the promises that a plugin breaks, with what the kit says. */
async function broken<K extends PluginKind>(plugin: Plugin<K>, options?: ContractOptionsOf<K>) {
  const found: Record<string, string> = {};
  for (const { name, run } of contractOf(plugin, options))
    await run().catch((error: Error) => void (found[name] = error.message));
  return found;
}

const says = (found: Record<string, string>) => Object.values(found).join('\n');

describe('the kit passes', () => {
  it('a sound objective', async () => {
    expect(await broken(objective({}))).toEqual({});
  });

  it('a sound inner optimizer', async () => {
    expect(await broken(inner(oneStep.craft))).toEqual({});
  });
});

describe('the kit catches an objective', () => {
  it('whose term reads a point only in some steps, and does not say so', async () => {
    const create = () => {
      let calls = 0;
      const classification: PerExample = ({ z, y }) => crossEntropy(calls++ < 2 ? z.natural : z.adversarial, y);
      return { ...sound, loss: { classification }, passes: ['natural', 'adversarial'] };
    };
    expect(says(await broken(defineObjective({ ...words, create })))).toContain(
      'the classification term reads z.adversarial in this step, and did not when it was composed',
    );
  });

  it('that states passes which follow from its loss', async () => {
    const found = await broken(objective({ passes: ['adversarial'] }));
    expect(found).toEqual({
      'states nothing that follows from its loss': 'its passes adversarial follow from its loss: leave them out',
    });
    expect(await broken(objective({ passes: ['adversarial', 'natural'] }))).toEqual({});
  });

  it('whose gradient is wrong', async () => {
    const values: PerExample = (views) => {
      const loss = plain(views);
      return tf.add(loss, stopGradient(loss)) as tf.Tensor1D;
    };
    const found = await broken(term(values));
    expect(says(found)).toContain('finite differences give');
    expect(Object.keys(found)).toEqual(['has terms whose gradient is what finite differences give']);
    const admitted = await broken(term(values), { detached: ['classification'] });
    expect(admitted).toEqual({});
  });

  it('that reads labels where targets may be mixed, as the README once did', async () => {
    const values: PerExample = ({ z, batch }) => crossEntropy(z.adversarial, batch.labels);
    for (const form of [values, { weight: 1, values, over: 'labelled' as const }])
      expect(await broken(term(form))).toEqual({
        'has classification terms that read mixed and smoothed targets': expect.stringContaining(
          'the same for mixed targets as for plain labels: read `y` of the views, not batch.labels',
        ),
      });
  });

  it('that returns a mean instead of a value per example', async () => {
    const values: PerExample = (views) => tf.mean(plain(views)) as unknown as tf.Tensor1D;
    expect(says(await broken(term(values)))).toContain('its values have the form [] where there are 2 examples');
  });

  it('whose classification term counts examples without a label', async () => {
    const values: PerExample = ({ z, y }) =>
      tf.add(tf.sum(tf.square(z.adversarial), 1), tf.mul(0, tf.sum(y, 1))) as tf.Tensor1D;
    expect(says(await broken(term(values)))).toContain('at an example without a label');
  });

  it('that needs a point which nothing makes', async () => {
    expect(says(await broken(term(({ z, y }) => crossEntropy(z.collaborative, y))))).toContain(
      'the classification term needs the collaborative point, but there is only natural, adversarial',
    );
  });

  it('that becomes infinite', async () => {
    const values: PerExample = ({ z }) => tf.sum(tf.exp(tf.mul(20, z.adversarial)), 1) as tf.Tensor1D;
    expect(says(await broken(term(values)))).toMatch(/holds (Infinity|NaN)/);
  });

  it('that leaks', async () => {
    const values: PerExample = (views) => {
      tf.keep(tf.scalar(1));
      return plain(views);
    };
    expect(Object.keys(await broken(term(values)))).toContain('leaves no tensor behind in a step');
  });

  it('that carries something from step to step outside its state', async () => {
    const plugin = defineObjective({
      ...words,
      create: () => {
        let calls = 0;
        const classification: PerExample = (views) => tf.mul(1 + Math.floor(calls++ / 2), plain(views)) as tf.Tensor1D;
        return { ...sound, loss: { classification } };
      },
    });
    expect(says(await broken(plugin))).toContain('belongs into objective.state');
  });
});

describe('the kit catches an inner optimizer', () => {
  const point = (make: (images: tf.Tensor4D) => tf.Tensor) =>
    inner(({ images }) => ({ points: { adversarial: tf.tidy(() => make(images)) as tf.Tensor4D } }));

  it('that leaves the ball', async () => {
    expect(says(await broken(point((x) => tf.clipByValue(tf.add(x, 0.1), 0, 1))))).toContain(
      'away from its image in linf',
    );
  });

  it('that leaves the pixel range', async () => {
    expect(says(await broken(point((x) => tf.add(x, 0.01))))).toContain('allowed is [0, 1]');
  });

  it('that makes another shape, or NaN', async () => {
    expect(says(await broken(point((x) => tf.slice(x, 0, 1))))).toContain('expected float32 [6,8,8,1]');
    expect(says(await broken(point((x) => tf.mul(x, NaN))))).toContain('holds NaN');
  });

  it('that writes running statistics without saying so', async () => {
    const plugin = inner((batch, context) => {
      logitsOf(context.model, batch.images, 'train').dispose();
      return oneStep.craft(batch, context);
    });
    expect(says(await broken(plugin))).toContain('the running statistics after crafting');
    expect(await broken(plugin, { updatesStatistics: true })).toEqual({});
  });

  it('that changes weights', async () => {
    const plugin = inner((batch, context) => {
      for (const weight of context.model.parameters.values()) tf.tidy(() => weight.assign(tf.mul(weight, 1.01)));
      return oneStep.craft(batch, context);
    });
    expect(says(await broken(plugin))).toContain('the weights after crafting');
  });

  it('that draws from a generator of its own', async () => {
    let seed = 0;
    const plugin = inner(({ images }, { threat }) => {
      const noise = tf.fill(images.shape, (threat.epsilon * (seed++ % 7)) / 7);
      const moved = tf.tidy(() => tf.clipByValue(tf.add(images, noise), 0, 1) as tf.Tensor4D);
      noise.dispose();
      return { points: { adversarial: moved } };
    });
    expect(Object.keys(await broken(plugin))).toEqual(['crafts the same points from the same generator']);
  });

  it('that leaks', async () => {
    const plugin = inner((batch, context) => {
      tf.scalar(1);
      return oneStep.craft(batch, context);
    });
    expect(Object.keys(await broken(plugin))).toEqual(['leaves no tensor behind when crafting']);
  });
});

describe('the kit catches', () => {
  it('a plugin without words, with undescribed options, or that accepts what it must refuse', async () => {
    const plugin = defineSchedule({
      name: 'Loud Name',
      summary: 'no sentence',
      options: { factor: z.number().default(1) },
      create: ({ factor }) => ({ factor: () => factor }),
    });
    expect(says(await broken(plugin))).toContain('not lower case');
    const undescribed = defineSchedule({
      ...words,
      options: { factor: number().default(1) },
      create: ({ factor }) => ({ factor: () => factor }),
    });
    expect(says(await broken(undescribed, { refused: [{ factor: -1 }] }))).toMatch(
      /without .describe\(...\): factor[^]*"factor":-1.* no error/,
    );
  });

  it('an attack that trains the model or runs it in another mode', async () => {
    const plugin = defineAttack({
      ...words,
      create: () => ({
        label: 'a',
        run: (images, _labels, { model }) => (logitsOf(model, images, 'train').dispose(), images.clone()),
      }),
    });
    expect(says(await broken(plugin, { weak: true }))).toContain('in batch mode');
  });

  it('an attack that finds nothing', async () => {
    const plugin = defineAttack({ ...words, create: () => ({ label: 'a', run: (images) => images.clone() }) });
    expect(Object.keys(await broken(plugin))).toEqual([
      'breaks a linear model well beyond its distance to the boundary',
    ]);
  });

  it('a weight perturber that moves the weights itself', async () => {
    const plugin = defineWeightPerturber({
      ...words,
      create: () => ({
        perturb({ model }) {
          for (const weight of model.parameters.values()) tf.tidy(() => weight.assign(tf.mul(weight, 1.01)));
          return undefined;
        },
      }),
    });
    expect(says(await broken(plugin))).toContain('the model after perturbing');
  });

  it('a weight perturber that divides by a gradient of 0', async () => {
    const plugin = defineWeightPerturber({
      ...words,
      create: () => ({
        perturb({ gradients }) {
          const found = gradients();
          const offsets = new Map(
            [...found].map(([name, g]) => [name, tf.tidy(() => tf.mul(0.01, tf.div(g, tf.norm(g))))]),
          );
          found.forEach((g) => g.dispose());
          return offsets;
        },
      }),
    });
    expect(Object.keys(await broken(plugin))).toEqual(['stays finite where the gradient is 0']);
  });

  it('a data source with labels beyond its classes and one set twice', async () => {
    const set = { images: new Uint8Array(4 * 9), labels: Int32Array.of(0, 1, 2, 1), shape: [3, 3, 1] as const };
    const plugin = defineDataSource({
      ...words,
      create: () => ({ name: 'd', shape: [3, 3, 1], classNames: ['a', 'b'], train: set, test: set }),
    });
    expect(says(await broken(plugin))).toMatch(/label 2 of example 2[^]*the same images/);
  });

  it('a data source whose epochs cannot be replayed', async () => {
    const make = () => ({
      images: new Uint8Array(8 * 9),
      labels: Int32Array.from({ length: 8 }, (_, i) => i % 2),
      shape: [3, 3, 1] as const,
    });
    const plugin = defineDataSource({
      ...words,
      create: () => {
        let turn = 0;
        return {
          name: 'd',
          shape: [3, 3, 1],
          classNames: ['a', 'b'],
          train: make(),
          test: make(),
          sampler: ({ batchSize }) => ({
            batchesPerEpoch: Math.ceil(8 / batchSize),
            epoch: () => Array.from({ length: Math.ceil(8 / batchSize) }, () => Int32Array.of(turn++ % 8)),
          }),
        };
      },
    });
    expect(Object.keys(await broken(plugin))).toContain('replays an epoch from the state of its generator');
  });

  it('a model that mixes the images of a batch, or that has weights which get no gradient', async () => {
    const plugin = defineModel({
      ...words,
      create: (_options, { random, inputShape, classNames }) => {
        const graph = networkGraph([...inputShape], (g) =>
          g.linear('fc', g.flatten(g.batchNorm('bn', g.input)), { units: classNames.length }),
        );
        const network = createNetwork(graph, { name: 'm', random: random('initialisation') });
        return {
          ...network,
          pass(images, request) {
            const pass = network.pass(images, { ...request, mode: 'batch' });
            const pullback: typeof pass.pullback = (...given) => ({
              ...pass.pullback(...given),
              parameters: new Map(),
            });
            return { ...pass, pullback };
          },
        };
      },
    });
    expect(says(await broken(plugin))).toMatch(/alone and[^]*no gradient reaches bn.weight, bn.bias, fc.weight/);
  });

  it('a regularizer that compares nothing, and a classification term that ignores missing labels', async () => {
    const regularizer = defineRegularizer({
      ...words,
      create:
        () =>
        ({ z }) =>
          tf.sum(tf.square(z.natural), 1) as tf.Tensor1D,
    });
    expect(says(await broken(regularizer))).toContain('compares two points');
    const classification = defineClassification({
      ...words,
      create:
        () =>
        ({ z }) =>
          tf.sum(tf.square(z.natural), 1) as tf.Tensor1D,
    });
    expect(says(await broken(classification))).toContain('without a label');
  });

  it('an augmentation that leaves the pixel range, an optimizer that forgets its slots, a schedule with a memory', async () => {
    const augmentation = defineAugmentation({
      ...words,
      create: () => ({ apply: (batch) => ({ ...batch, pixels: batch.pixels.map((p) => p + 0.5) }) }),
    });
    expect(says(await broken(augmentation))).toContain('allowed is [0, 1]');
    const miscounted = defineAugmentation({
      ...words,
      create: () => ({
        drawsPerImage: 2,
        apply: (batch, random) => ({ ...batch, pixels: batch.pixels.map((p) => (p + random.next()) / 2) }),
      }),
    });
    expect(says(await broken(miscounted))).toContain('drawsPerImage');
    const optimizer = defineOptimizer({
      ...words,
      create: () => ({
        ...createSgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0, nesterov: false }),
        restoreSlots: () => undefined,
      }),
    });
    expect(Object.keys(await broken(optimizer))).toEqual(['goes on from its slots as if it had not stopped']);
    const schedule = defineSchedule({
      ...words,
      create: () => {
        let factor = 1;
        return { factor: () => (factor *= 0.9) };
      },
    });
    expect(says(await broken(schedule))).toContain('asked for in another order');
  });
});

describe('describeObjective', () => {
  it('registers every promise as a test of the framework that it is given', async () => {
    const seen: string[] = [];
    const framework: TestFramework = {
      describe: (name, body) => (seen.push(name), body()),
      it: (name) => void seen.push(name),
    };
    describeObjective(objective({}), { framework });
    expect(seen[0]).toBe('the objective broken');
    expect(seen.slice(1)).toEqual(contractOf(objective({})).map(({ name }) => name));
  });
});
