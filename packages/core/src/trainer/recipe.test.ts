import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers'; // registers gradients
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createAdamW } from './adamw.js';
import { clipGradients } from './clip.js';
import { decays } from './decay.js';
import { createSgd } from './sgd.js';

beforeAll(() => tf.setBackend('cpu'));

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];

/** A kernel with its bias, and a BatchNorm. */
const parametersOf = () =>
  new Map<string, tf.Variable>([
    ['fc.weight', tf.variable(tf.tensor2d([[1, -2]]))],
    ['fc.bias', tf.variable(tf.tensor1d([3, 4]))],
    ['bn.weight', tf.variable(tf.tensor1d([5]))],
    ['bn.bias', tf.variable(tf.tensor1d([6]))],
  ]);

describe('decay groups', () => {
  it.each([
    ['all', ['fc.weight', 'fc.bias', 'bn.weight', 'bn.bias']],
    ['no-batch-norm', ['fc.weight', 'fc.bias']],
    ['kernels', ['fc.weight']],
  ] as const)('%s decays %s', (group, expected) => {
    const parameters = parametersOf();
    expect([...parameters.keys()].filter((name) => decays(group, name, parameters))).toEqual(expected);
  });

  it('leave the gradients of others alone, and a constant rate to them if told so', () => {
    const parameters = parametersOf();
    const options = { learningRate: 1, momentum: 0, weightDecay: 0.5, nesterov: false } as const;
    const sgd = createSgd({ ...options, decay: 'kernels', undecayedLearningRate: 1 });
    const gradients = new Map([...parameters].map(([name, parameter]) => [name, tf.onesLike(parameter)]));
    const decayed = sgd.decayed(gradients, parameters);
    expect([...decayed].map(([, gradient]) => numbers(gradient))).toEqual([[1.5, 0], [1, 1], [1], [1]]);
    sgd.apply(parameters, decayed, 0.1);
    expect(numbers(parameters.get('fc.weight')!)[0]).toBeCloseTo(0.85, 6);
    expect(numbers(parameters.get('fc.bias')!)).toEqual([2, 3]);
  });
});

describe('AdamW', () => {
  it('shrinks kernels by rate times decay, then moves every weight by the rate against its gradient, in the first step', () => {
    const parameters = parametersOf();
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    const adamw = createAdamW({ ...options, weightDecay: 0.5, decay: 'kernels' });
    const gradients = new Map<string, tf.Tensor>([
      ['fc.weight', tf.tensor2d([[10, -0.01]])],
      ['fc.bias', tf.tensor1d([1, -1])],
    ]);
    adamw.apply(parameters, gradients, 0.1);
    const expected = [1 * 0.95 - 0.1, -2 * 0.95 + 0.1];
    numbers(parameters.get('fc.weight')!).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4));
    numbers(parameters.get('fc.bias')!).forEach((value, i) => expect(value).toBeCloseTo([2.9, 4.1][i]!, 4));
    expect(numbers(parameters.get('bn.weight')!)).toEqual([5]);
  });
});

describe('AdamW whose beta1 a schedule moves', () => {
  it('makes the updates of PyTorch 2.13 with betas set before each', () => {
    const w = tf.variable(tf.tensor2d([[1, -2]]));
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.5 };
    const adamw = createAdamW({ ...options, decay: 'all' });
    const steps = [
      { momentum: 0.95, gradient: [0.5, -1], expected: [0.850000002, -1.800000001] },
      { momentum: 0.85, gradient: [-0.25, 2], expected: [0.822336659, -1.768599042] },
      { momentum: undefined, gradient: [1, 0.5], expected: [0.733727245, -1.758817927] },
    ];
    for (const { momentum, gradient, expected } of steps) {
      const gradients = new Map([['w', tf.tensor2d([gradient])]]);
      adamw.apply(new Map([['w', w]]), gradients, 0.1, momentum === undefined ? {} : { momentum });
      numbers(w).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    }
  });
});

describe('clipping of gradients', () => {
  const clipped = (length: number | undefined) =>
    numbers(clipGradients(new Map([['w', tf.tensor1d([3, 4])]]), length).get('w')!);

  it('scales those that are longer than allowed to that length, and leaves others alone', () => {
    expect(clipped(undefined)).toEqual([3, 4]);
    expect(clipped(10)).toEqual([3, 4]);
    clipped(1).forEach((value, i) => expect(value).toBeCloseTo([0.6, 0.8][i]!, 5));
  });
});
