import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { logitsOf, useEngine, type Network } from '@bulwark/core';
import { proceduralPixels, proceduralWeights, readModelGolden, type ProceduralGolden } from './golden.js';
import { goldenNetwork } from './golden-networks.js';
import { loadStateDict } from './weights/load.js';

beforeAll(() => useEngine('wasm'));

const golden = readModelGolden<{
  image_seed: number;
  image_first_pixels: number[];
  models: ProceduralGolden[];
}>('procedural');

const largestDifference = (actual: ArrayLike<number>, expected: readonly number[]) =>
  expected.reduce((largest, value, i) => Math.max(largest, Math.abs(actual[i]! - value)), 0);

describe.each(golden.models)('$model at full size against the official code', (model) => {
  let network: Network | undefined;
  afterEach(() => network?.dispose());

  it('has its logits, in eval mode and with batch statistics', () => {
    network = goldenNetwork(model.model);
    const { tensors, draws } = proceduralWeights(network.graph, model.weight_seed);
    expect(draws).toBe(model.draws);
    for (const [name, { first, sum }] of Object.entries(model.spot_checks)) {
      const values = tensors.get(name)!.data as Float32Array;
      expect(largestDifference(values, first)).toBeLessThan(1e-7);
      expect(Math.abs(values.reduce((total, value) => total + value, 0) - sum)).toBeLessThan(
        1e-4 * Math.abs(sum) + 1e-3,
      );
    }
    loadStateDict(network, tensors);

    const pixels = proceduralPixels(4 * 32 * 32 * 3, golden.image_seed);
    expect([...pixels.subarray(0, 3)].map((value) => Math.round(value * 255))).toEqual(golden.image_first_pixels);
    const images = tf.tensor4d(pixels.subarray(0, model.n_images * 3072), [model.n_images, 32, 32, 3]);
    const expected = model.logits_eval.flat();
    const logits = logitsOf(network, images);
    const largestLogit = Math.max(...expected.map(Math.abs));
    expect(largestDifference(logits.dataSync(), expected) / largestLogit).toBeLessThan(2e-5);
    const batch = logitsOf(network, images, 'batch');
    expect(largestDifference(batch.dataSync(), model.logits_train.flat())).toBeLessThan(1e-3);
    tf.dispose([images, logits, batch]);
  }, 600_000);
});
