import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine, type Gradients, type PerturbContext } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { make, smallNetwork } from '../testing/step.js';
import { meanOfSmall } from './rwp.js';

beforeAll(() => useEngine('wasm'));

const length = (tensor: tf.Tensor) => tf.norm(tensor).dataSync()[0]!;

function contextOf(fill: (name: string) => number, epoch = 0): PerturbContext & { calls: object[] } {
  const model = smallNetwork();
  const calls: object[] = [];
  return {
    model,
    epoch,
    calls,
    gradients(options = {}): Gradients {
      calls.push(options);
      return new Map([...model.parameters].map(([name, { shape }]) => [name, tf.fill(shape, fill(name))]));
    },
  };
}

const relative = (offsets: Gradients, { model }: PerturbContext) =>
  Object.fromEntries([...offsets].map(([name, v]) => [name, length(v) / length(model.parameters.get(name)!)]));

describe('awp', () => {
  it('moves every kernel by gamma times its own length, and nothing else', () => {
    const context = contextOf((name) => (name.startsWith('conv') ? 1e-6 : 100));
    const offsets = make('weight-perturber', { use: 'awp', gamma: 0.01 }).perturb(context)!;
    const lengths = relative(offsets, context);
    expect(Object.keys(lengths)).toEqual(['conv.weight', 'fc.weight']);
    for (const value of Object.values(lengths)) expect(value).toBeCloseTo(0.01, 6);
  });

  it('does not move a kernel whose gradient is 0', () => {
    const context = contextOf((name) => (name === 'fc.weight' ? 0 : 1));
    const offsets = make('weight-perturber', { use: 'awp' }).perturb(context)!;
    expect(length(offsets.get('fc.weight')!)).toBe(0);
  });

  it('does nothing, at no cost, before its warm-up is over and with a gamma of 0', () => {
    const early = contextOf(() => 1, 4);
    expect(make('weight-perturber', { use: 'awp', warmup: 5 }).perturb(early)).toBeUndefined();
    expect(make('weight-perturber', { use: 'awp', gamma: 0 }).perturb(early)).toBeUndefined();
    expect(early.calls).toHaveLength(0);
  });

  it('leaks no tensor beside the offsets', () => {
    const context = contextOf(() => 1);
    const before = tf.memory().numTensors;
    const offsets = make('weight-perturber', { use: 'awp' }).perturb(context)!;
    offsets.forEach((offset) => offset.dispose());
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('rwp', () => {
  it('moves all kernels together by gamma times their common length', () => {
    const context = contextOf(() => 1);
    const offsets = make('weight-perturber', { use: 'rwp', gamma: 0.01, steps: 3 }).perturb(context)!;
    const kernels = ['conv.weight', 'fc.weight'].map((name) => context.model.parameters.get(name)!);
    const common = (tensors: tf.Tensor[]) => Math.hypot(...tensors.map(length));
    expect(common([...offsets.values()]) / common(kernels)).toBeCloseTo(0.01, 6);
    expect(context.calls).toHaveLength(3);
  });

  it('takes the later gradients at the weights moved so far', () => {
    const context = contextOf(() => 1);
    make('weight-perturber', { use: 'rwp', steps: 2 }).perturb(context);
    expect(context.calls.map((options) => 'offsets' in options && options.offsets !== undefined)).toEqual([
      false,
      true,
    ]);
  });

  it('leaks no tensor beside the offsets', () => {
    const context = contextOf(() => 1);
    const before = tf.memory().numTensors;
    const offsets = make('weight-perturber', { use: 'rwp', steps: 3 }).perturb(context)!;
    offsets.forEach((offset) => offset.dispose());
    expect(tf.memory().numTensors).toBe(before);
  });

  it('counts examples of small loss only, but divides by all', () => {
    expect(meanOfSmall(1.7)(tf.tensor1d([1, 2, 0.5, 1.7])).dataSync()[0]).toBeCloseTo(1.5 / 4, 6);
    const gradient = tf.grad((losses) => meanOfSmall(1.7)(losses as tf.Tensor1D))(tf.tensor1d([1, 2, 0.5, 1.7]));
    expect([...gradient.dataSync()]).toEqual([0.25, 0, 0.25, 0]);
  });
});
