import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { surrounded, type Classifier, type Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { evaluated, toyClassifier, toyImages } from '../testing/golden.js';
import { norms } from '../threat/index.js';
import { probeTrust } from './probes.js';
import { spread } from './tiers.js';

let model: Network;
beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
});
afterAll(() => model.dispose());

describe('probes of trust', () => {
  const probe = (classifier: Classifier) =>
    probeTrust({ model: classifier, data: toyImages(), threat: { norm: norms.linf, epsilon: 8 / 255 }, images: 12 });

  it('find nothing in a model that was trained against attacks', async () => {
    const before = tf.memory().numTensors;
    expect(await probe(model)).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });
  it('find that preprocessing masks gradients, by passing it as if it changed nothing', async () => {
    const coarse = surrounded(model, { before: (x) => tf.div(tf.round(tf.mul(x, 64)), 64) });
    const before = tf.memory().numTensors;
    const found = await probe(coarse);
    expect(tf.memory().numTensors).toBe(before);
    const { what } = found.find(({ id }) => id === 'preprocessing-masks')!;
    expect(what).toMatch(/^PGD-10 left [\d.]+ %, PGD-10 through the preprocessing [\d.]+ % of 12 images$/);
    const harmless = surrounded(model, { before: (x) => tf.mul(x, 1) });
    expect((await probe(harmless)).map(({ id }) => id)).toEqual([]);
  });
  it('stop soon when they are asked to, and leave nothing', async () => {
    const before = tf.memory().numTensors;
    const stop = new AbortController();
    let passes = 0;
    const counted = surrounded(model, { before: (x) => (passes++, tf.mul(x, 1)) });
    const options = { data: toyImages(), threat: { norm: norms.linf, epsilon: 8 / 255 }, signal: stop.signal };
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(probeTrust({ model: counted, ...options })).rejects.toThrow('enough');
    expect(passes).toBeLessThan(100);
    expect(tf.memory().numTensors).toBe(before);
  });
  it('find that accuracy stays where rounding hides the gradient', async () => {
    const masked = surrounded(model, { before: (x) => tf.div(tf.floor(tf.mul(x, 16)), 16) });
    expect((await probe(masked)).map(({ id }) => id)).toContain('not-zero-at-large-epsilon');
  });
});

it('a subset is spread over the whole set', () => {
  expect(spread(10, 5)).toEqual([0, 2, 4, 6, 8]);
  expect(spread(3, 5)).toEqual([0, 1, 2]);
});
