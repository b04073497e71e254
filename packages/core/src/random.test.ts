import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from './engine/index.js';
import { createRandom, mulberry32, randomFrom } from './random.js';

beforeAll(async () => void (await useEngine('cpu')));

describe('createRandom', () => {
  it('gives the same numbers for the same seed and purpose, others for others', () => {
    const draw = (seed: number, purpose: string) => Array.from({ length: 5 }, () => createRandom(seed, purpose).next());
    const first = (seed: number, purpose: string) => draw(seed, purpose)[0];
    expect(first(1, 'attack')).toBe(first(1, 'attack'));
    expect(new Set([first(1, 'attack'), first(2, 'attack'), first(1, 'shuffling'), first(1, 'attack/0/1')]).size).toBe(
      4,
    );
  });

  it('goes on from a saved state', () => {
    const random = createRandom(7);
    random.normal([10]).dispose();
    const state = random.state();
    const next = [random.next(), random.next()];
    const other = createRandom(8);
    other.restore(JSON.parse(JSON.stringify(state)));
    expect([other.next(), other.next()]).toEqual(next);
  });

  it('is uniform and normal to within sampling error', () => {
    const n = 40000;
    const moments = (x: tf.Tensor) => {
      const { mean, variance } = tf.moments(x);
      return [mean.dataSync()[0]!, variance.dataSync()[0]!] as const;
    };
    const [uMean, uVariance] = moments(createRandom(3).uniform([n], -1, 1));
    expect(Math.abs(uMean)).toBeLessThan(0.015);
    expect(Math.abs(uVariance - 1 / 3)).toBeLessThan(0.01);
    const [nMean, nVariance] = moments(createRandom(3).normal([n]));
    expect(Math.abs(nMean)).toBeLessThan(0.025);
    expect(Math.abs(nVariance - 1)).toBeLessThan(0.04);
  });

  it('permutes', () => {
    const order = createRandom(5).permutation(100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...order.slice(0, 5)]).not.toEqual([0, 1, 2, 3, 4]);
  });
});

describe('mulberry32', () => {
  it('is the stream of the golden files', () => {
    const stream = mulberry32(12345);
    expect(Array.from({ length: 5 }, () => stream.word())).toEqual([
      4207900869, 1317490944, 2079646450, 3513001552, 2187978186,
    ]);
  });

  it('fills images plane by plane when asked to', () => {
    const planes = randomFrom(mulberry32(1), { imageOrder: 'nchw' }).uniform([1, 2, 2, 3]).dataSync();
    const flat = randomFrom(mulberry32(1)).uniform([12]).dataSync();
    // pixel 0 takes the first value of each plane
    expect([planes[0], planes[1], planes[2]]).toEqual([flat[0], flat[4], flat[8]]);
  });
});
