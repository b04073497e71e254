import { describe, expect, it } from '@jest/globals';
import { defineObjective, number } from '@bulwark/core';
import { checkConfig } from '@bulwark/core/run';
import { builtinRegistry } from '../registry.js';
import { defineConfig, use, type Config } from './typed.js';

const base = {
  data: { use: 'fashion-mnist-mini', batchSize: 64, limit: { train: 10 } },
  model: { use: 'small-cnn', width: 4 },
  threat: { epsilon: '8/255' },
  epochs: 1,
} as const;

const mine = defineObjective({
  name: 'mine',
  summary: "An objective of one's own.",
  options: { beta: number({ min: 0 }).default(1).describe('weight') },
  create: () => ({ loss: { classification: ({ z }) => z.natural as never } }),
});

/** The compiler checks these: each has one mistake in its line. */
const mistaken: Config[] = [
  // @ts-expect-error no such objective
  { ...base, objective: 'stt' },
  // @ts-expect-error no such objective, whatever its options
  { ...base, objective: { use: 'stt', bta: 6 } },
  // @ts-expect-error no such option
  { ...base, objective: { use: 'st', bta: 6 } },
  // @ts-expect-error an option of another type
  { ...base, objective: { use: 'st', beta: true } },
  // @ts-expect-error no such option within
  { ...base, objective: { use: 'trades', inner: { step: 5 } } },
  // @ts-expect-error no such word
  { ...base, objective: { use: 'trades', discrepancy: 'kll' } },
  // @ts-expect-error no such attack option
  { ...base, objective: 'at', evaluation: { attacks: [{ use: 'pgd', stepz: 3 }] } },
  // @ts-expect-error no such augmentation
  { ...base, objective: 'at', data: { ...base.data, augment: ['random-corp'] } },
  // @ts-expect-error no such schedule
  { ...base, objective: 'at', optimizer: { use: 'sgd', schedule: 'cosin' } },
  // @ts-expect-error no such optimizer option
  { ...base, objective: 'at', optimizer: { use: 'sgd', learningrate: 0.1 } },
  // @ts-expect-error no such perturber option
  { ...base, objective: 'at', weightPerturber: { use: 'awp', gama: 1 } },
  // @ts-expect-error no such callback option
  { ...base, objective: 'at', callbacks: [{ use: 'mlflow', url: 'http://localhost:5000' }] },
  // @ts-expect-error no such option of a teacher
  { ...base, objective: { use: 'ard', teacher: { use: 'small-cnn', widht: 4 } } },
  // @ts-expect-error no such companion
  { ...base, objective: { use: 'lbgat', companion: 'small-cn' } },
  // @ts-expect-error no such option of an objective within another
  { ...base, objective: { use: 'two-neighbours', of: { use: 'at', bta: 6 } } },
  // @ts-expect-error no such option of an inner optimizer
  { ...base, objective: { use: 'compose', inner: { use: 'pgd', stpes: 5 } } },
  // @ts-expect-error no such option of a data set within another
  { ...base, objective: 'at', data: { use: 'rst', labelled: { use: 'cifar10', fodler: 'x' }, unlabelled: 'cifar10' } },
  // @ts-expect-error no such key
  { ...base, objective: 'at', epoch: 3 },
  // @ts-expect-error no such average
  { ...base, objective: 'at', averaging: 'emma' },
  // @ts-expect-error no such model
  { ...base, objective: 'at', model: 'small-cn' },
  // @ts-expect-error no such option of the model
  { ...base, objective: 'at', model: { use: 'small-cnn', widht: 4 } },
  // @ts-expect-error no such data set
  { ...base, objective: 'at', data: { use: 'fashion-mnist-mni' } },
  // @ts-expect-error no such option of the data set
  { ...base, objective: 'at', data: { use: 'fashion-mnist', valdation: 10 } },
  // @ts-expect-error no such option within
  { ...base, objective: 'at', data: { use: 'fashion-mnist', limit: { trian: 10 } } },
  // @ts-expect-error no such engine
  { ...base, objective: 'at', engine: 'wasn' },
  // @ts-expect-error no such option of the engine
  { ...base, objective: 'at', engine: { use: 'wasm', thread: 2 } },
  // @ts-expect-error no such option of one's own
  { ...base, objective: use(mine, { bta: 2 }) },
  // @ts-expect-error an objective is no attack
  { ...base, objective: 'at', evaluation: { attacks: [use(mine)] } },
];

describe('configs in TypeScript', () => {
  it('are what the compiler takes', () => {
    const registry = builtinRegistry().register(mine as never);
    for (const config of [
      defineConfig({ ...base, objective: 'st' }),
      defineConfig({
        ...base,
        data: { ...base.data, augment: ['horizontal-flip', { use: 'random-crop', padding: 2 }] },
        objective: { use: 'trades', beta: 6, inner: { steps: 5, stepSize: '2/255' } },
        weightPerturber: { use: 'awp', gamma: 0.01 },
        optimizer: { use: 'sgd', learningRate: 0.1, clipNorm: 1, schedule: { use: 'step', milestones: [1] } },
        evaluation: { every: 2, attacks: ['fgsm', { use: 'pgd', steps: 3 }] },
        callbacks: ['csv', { use: 'mlflow', uri: 'http://localhost:5000' }],
        averaging: 'ema',
        engine: { use: 'wasm', threads: 2 },
      }),
      defineConfig({ ...base, objective: 'at', model: 'wrn-28-10', engine: { use: 'torch', device: 'cpu' } }),
      defineConfig({
        ...base,
        objective: { use: 'cfa', radiusBase: 0.3 },
        averaging: { use: 'fawa', threshold: 0.1 },
        data: { use: 'rst', labelled: 'cifar10', unlabelled: { use: 'npz', train: '1m.npz' }, batchSize: 512 },
      }),
      defineConfig({ ...base, objective: { use: 'ard', teacher: { use: 'small-cnn', width: 8, weights: 'runs/at' } } }),
      defineConfig({ ...base, objective: { use: 'lbgat', companion: 'resnet18' } }),
      defineConfig({ ...base, objective: { use: 'two-neighbours', of: { use: 'trades', beta: 6 } } }),
      defineConfig({
        ...base,
        objective: {
          use: 'compose',
          inner: { use: 'pgd', steps: 5 },
          classification: 'cross-entropy',
          regularizer: 'kl',
        },
      }),
      defineConfig({ ...base, objective: use(mine, { beta: '1/2' }), optimizer: { learningRate: 0.2 } }),
    ])
      expect(() => checkConfig(config, registry)).not.toThrow();
  });

  it('with a mistake are refused when they are read, too', () => {
    const registry = builtinRegistry().register(mine as never);
    for (const config of mistaken) expect(() => checkConfig(config, registry)).toThrow();
  });
});
