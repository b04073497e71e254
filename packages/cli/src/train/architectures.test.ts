import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createRandom,
  defineDataSource,
  disposeBatch,
  parameterCount,
  takeExamples,
  useEngine,
  type ImageSet,
} from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { checkRun, compose } from '@bulwark/core/run';
import { disposeOutcome, trainStep } from '@bulwark/core/trainer';
import { modelPlugins } from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { builtinRegistry } from '../registry.js';

// BULWARK_ENGINE repeats these on another engine
beforeAll(() => useEngine('auto', { engines: enginesOf(builtinRegistry()) }));

const shape = [32, 32, 3] as const;
function noise(seed: number): ImageSet {
  const random = createRandom(seed, 'images');
  const images = Uint8Array.from({ length: 4 * 32 * 32 * 3 }, () => random.integer(256));
  return { images, labels: Int32Array.of(0, 1, 2, 3), shape };
}
const data = defineDataSource({
  name: 'noise-32',
  summary: 'Four images of the size of CIFAR, for tests.',
  create: () => ({
    name: 'noise-32',
    shape,
    classNames: Array.from({ length: 10 }, (_, k) => String(k)),
    train: noise(1),
    validation: noise(2),
    test: noise(3),
  }),
});
const registry = builtinRegistry().register(data);

/** One inner step and two images: what is tested is that every part of the step reaches every part of the network. */
const config = (model: object) => ({
  engine: 'wasm',
  data: { use: 'noise-32', batchSize: 2 },
  model,
  threat: { epsilon: '8/255' },
  objective: { use: 'st', inner: { steps: 1 } },
  optimizer: { use: 'sgd', learningRate: 0.01 },
  epochs: 1,
});

/** Tried in small sizes below: theirs of default are as large as those of others, or larger. */
const small = ['layers-model', 'wide-resnet', 'dm-wide-resnet', 'robust-wide-resnet', 'resnet50'];
const sized = modelPlugins.map(({ name }) => name).filter((name) => !small.includes(name));
const models: [string, object][] = [
  ...sized.filter((name) => name !== 'vgg').map((use): [string, object] => [use, { use }]),
  ...[11, 13, 16, 19].map((depth): [string, object] => [`vgg${depth}`, { use: 'vgg', depth }]),
  [
    'wide-resnet of 16 layers, with normalisation',
    { use: 'wide-resnet', depth: 16, width: 2, normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } },
  ],
  ['wide-resnet with PSSiLU', { use: 'wide-resnet', depth: 10, width: 1, variant: 'ps-silu' }],
  ['wide-resnet with cosines', { use: 'wide-resnet', depth: 10, width: 1, variant: 'cosine', perImage: true }],
  ['RaWRN, small', { use: 'dm-wide-resnet', channels: [8, 8, 12, 16], blocks: [1, 1, 1], squeeze: 0.25 }],
  ['WRN-A4, small', { use: 'robust-wide-resnet', channels: [8, 8, 12, 16], blocks: [1, 1, 1], version: 2022 }],
  ['ResNet-50, small', { use: 'resnet50', width: 4 }],
];

describe('an ST step at real input size', () => {
  it.each(models)(
    'moves every parameter and running statistic of %s, and keeps no tensor',
    async (_, model) => {
      const checked = await checkRun(config(model), { registry, baseFolder: tmpdir() });
      const { parts } = await compose(checked.config, { registry: checked.registry, baseFolder: tmpdir() });
      const { parameters, statistics } = parts.model;
      const sums = () =>
        new Map([...parameters, ...statistics].map(([name, value]) => [name, tf.tidy(() => digest(value))] as const));
      const before = sums();
      const batch = takeExamples(parts.data.train, [0, 1]);
      const context = {
        model: parts.model,
        threat: parts.threat,
        random: createRandom(1, 'attack'),
        epoch: 0,
        epochs: 1,
      };
      const step = () => trainStep(batch, { ...parts, learningRate: 0.01, context });
      disposeOutcome(step());
      const after = sums();
      for (const [name, value] of after) {
        expect([name, value.every(Number.isFinite)]).toEqual([name, true]);
        // a bias before a BatchNorm has no influence: its gradient is zero up to rounding
        const inert = /^features\.\d+\.bias$/.test(name) && parameters.get(name.replace('bias', 'weight'))!.rank === 4;
        if (!inert) expect([name, value]).not.toEqual([name, before.get(name)]);
      }
      const live = tf.memory().numTensors;
      // the large ones take a minute each on a laptop: one step has to do
      if (parameterCount(parts.model) < 1e6) disposeOutcome(step());
      expect(tf.memory().numTensors).toBe(live);
      disposeBatch(batch);
      parts.model.dispose();
    },
    600_000,
  );
});

/** Two numbers that change when the values do: their sum, and that of their squares. */
const digest = (value: tf.Tensor): number[] =>
  [tf.sum(value), tf.sum(tf.square(value))].map((sum) => sum.dataSync()[0]!);
