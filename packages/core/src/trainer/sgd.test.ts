import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { createSgd } from './sgd.js';

interface SgdCase {
  readonly momentum: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  readonly lr: number[];
  readonly p0: number[];
  readonly grads: number[][];
  readonly after: number[][];
}

/** Five updates of `torch.optim.SGD`, for each combination of its options. */
const { items } = JSON.parse(readFileSync(new URL('../../fixtures/training/sgd.json', import.meta.url), 'utf8')) as {
  items: SgdCase[];
};

beforeAll(() => useEngine('wasm'));

const close = (found: ArrayLike<number>, wanted: readonly number[]) =>
  wanted.forEach((value, i) => expect(Math.abs(found[i]! - value)).toBeLessThan(2e-6));

describe('SGD', () => {
  it.each(items)(
    'follows torch.optim.SGD with momentum $momentum, weight decay $weightDecay, nesterov $nesterov',
    ({ p0, lr, grads, after, ...options }) => {
      const optimizer = createSgd({ learningRate: 0.1, ...options });
      const parameters = new Map([['w', tf.variable(tf.tensor1d(p0))]]);
      for (const [i, rate] of lr.entries()) {
        const gradient = new Map([['w', tf.tensor1d(grads[i]!)]]);
        const decayed = optimizer.decayed(gradient, parameters);
        optimizer.apply(parameters, decayed, rate);
        tf.dispose([...gradient.values(), ...decayed.values()]);
        close(parameters.get('w')!.dataSync(), after[i]!);
      }
    },
  );

  it('goes on with the same bits after its slots were saved and restored', () => {
    const options = { learningRate: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true };
    const run = (interrupted: boolean) => {
      let optimizer = createSgd(options);
      const parameters = new Map([['w', tf.variable(tf.tensor1d([1, -2, 3]))]]);
      for (let i = 0; i < 4; i++) {
        const gradients = optimizer.decayed(new Map([['w', tf.tensor1d([0.1 * i, 0.3, -0.7])]]), parameters);
        optimizer.apply(parameters, gradients, 0.1);
        if (!interrupted || i !== 1) continue;
        const fresh = createSgd(options);
        fresh.restoreSlots(new Map([...optimizer.slots()].map(([name, slot]) => [name, slot.clone()])));
        optimizer.dispose();
        optimizer = fresh;
      }
      return [...parameters.get('w')!.dataSync()];
    };
    expect(run(true)).toEqual(run(false));
  });

  it('leaves a parameter without a gradient alone, decay included', () => {
    const optimizer = createSgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.5, nesterov: false });
    const parameters = new Map([
      ['a', tf.variable(tf.scalar(1))],
      ['b', tf.variable(tf.scalar(1))],
    ]);
    optimizer.apply(parameters, optimizer.decayed(new Map([['a', tf.scalar(1)]]), parameters), 0.1);
    expect(parameters.get('b')!.dataSync()[0]).toBe(1);
    expect(parameters.get('a')!.dataSync()[0]).toBeCloseTo(1 - 0.1 * 1.5, 6);
  });
});
