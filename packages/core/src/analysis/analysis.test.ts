import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { takeExamples, type ImageSet } from '../batch.js';
import type { Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { fixtureNetwork, imageShape } from '../testing/fixture.js';
import { norms } from '../threat/index.js';
import {
  angleBetween,
  collaborativeLosses,
  lossSurface,
  neighbour,
  orthogonalTo,
  perturbationAngles,
  searchPairs,
} from './index.js';
import { lossAt } from './neighbours.js';

/** Grey images away from 0 and 1, so that the pixel range never holds a step back. */
function greyImages(count: number, range: readonly [number, number] = [100, 156]): ImageSet {
  const random = createRandom(1, 'images');
  const [low, high] = range;
  const pixels = count * imageShape[0] * imageShape[1] * imageShape[2];
  return {
    images: Uint8Array.from({ length: pixels }, () => low + random.integer(high - low)),
    labels: Int32Array.from({ length: count }, (_, i) => i % 5),
    shape: imageShape,
  };
}

describe('analysis', () => {
  let model: Network;
  const set = greyImages(10);
  const linf = norms.linf;

  beforeAll(async () => {
    await useEngine('wasm');
    model = fixtureNetwork();
  });
  afterAll(() => model.dispose());

  const meanLoss = (points: (images: tf.Tensor4D) => tf.Tensor4D) =>
    tf.tidy(() => {
      const { images, labels } = takeExamples(
        set,
        Int32Array.from({ length: 10 }, (_, i) => i),
      );
      return tf.mean(lossAt(model, points(images), labels)).dataSync()[0]!;
    });

  describe('collaborative losses', () => {
    const epsilons = [4, 8, 16, 32].map((n) => n / 255);

    it('lie below the benign loss for every epsilon, and the lower the larger it is', async () => {
      const options = { model, norm: linf, epsilons, steps: 40, stepSize: 1 / 255, batchSize: 4 };
      const results = await collaborativeLosses(set, options);
      expect(results.map(({ epsilon }) => epsilon)).toEqual([0, ...epsilons]);
      const losses = results.map(({ crossEntropy }) => crossEntropy);
      expect(losses[0]).toBeCloseTo(
        meanLoss((x) => x),
        5,
      );
      for (let i = 1; i < losses.length; i++) expect(losses[i]).toBeLessThan(losses[i - 1]!);
      expect(results.at(-1)!.accuracy).toBeGreaterThanOrEqual(results[0]!.accuracy);
    });

    it('equal the benign loss at epsilon 0, whatever the batch size, and leave no tensor behind', async () => {
      const before = tf.memory().numTensors;
      const options = { model, norm: linf, epsilons: [0], steps: 3, stepSize: 0.01, batchSize: 3 };
      const [benign, none] = await collaborativeLosses(set, options);
      expect(none).toEqual(benign);
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  describe('angles', () => {
    const threat = { norm: linf, epsilon: 8 / 255 };
    const search = () => ({ model, threat, steps: 5, stepSize: 2 / 255 });
    const measure = (images: ImageSet, pixels: 'all' | 'interior') =>
      perturbationAngles(images, { pairs: searchPairs(search()), pixels, epsilon: threat.epsilon, batchSize: 4 });

    it('are those of plane geometry', () => {
      const angle = (a: number[], b: number[]) =>
        tf.tidy(() => angleBetween(tf.tensor4d(a, [1, 1, 2, 1]), tf.tensor4d(b, [1, 1, 2, 1])).dataSync()[0]);
      expect(angle([1, 0], [1, 1])).toBeCloseTo(45, 4);
      expect(angle([1e-3, 0], [0, 2e-3])).toBeCloseTo(90, 4);
      expect(angle([1, 2], [-2, -4])).toBeCloseTo(180, 1);
      expect(angle([0, 0], [1, 1])).toBeNaN();
    });

    it('are 180 degrees after the first step from a common start', async () => {
      const steps = await measure(set, 'all');
      expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
      for (const degrees of steps[0]!.degrees) expect(degrees).toBeGreaterThan(179.5);
      for (const degrees of steps.at(-1)!.degrees) expect(degrees).toBeLessThanOrEqual(180);
    });

    it('are smaller where the pixel range holds steps back, unless only the interior counts', async () => {
      const dark = greyImages(10, [0, 60]);
      const [all] = await measure(dark, 'all');
      const [interior] = await measure(dark, 'interior');
      for (const [i, degrees] of interior!.degrees.entries()) {
        expect(degrees).toBeGreaterThan(179.5);
        expect(all!.degrees[i]).toBeLessThan(179.5);
      }
    });
  });

  describe('loss surface', () => {
    const options = () => ({
      ...{ model, threat: { norm: linf, epsilon: 0.05 }, steps: 10, stepSize: 0.01, batchSize: 4 },
      ...{ side: 'collaborative' as const, radius: 1, resolution: 5, random: createRandom(2, 'landscape') },
    });

    it('has the benign loss at its centre and the collaborative loss one perturbation along', async () => {
      const before = tf.memory().numTensors;
      const { at, loss } = await lossSurface(set, options());
      expect(at).toEqual([-1, -0.5, 0, 0.5, 1]);
      expect(loss[2]![2]).toBeCloseTo(
        meanLoss((x) => x),
        5,
      );
      const collaborative = (images: tf.Tensor4D) =>
        neighbour({ images, labels: tf.tensor1d([...set.labels], 'int32') }, 'collaborative', options());
      expect(loss[2]![4]).toBeCloseTo(meanLoss(collaborative), 5);
      expect(loss[2]![4]).toBeLessThan(loss[2]![2]!);
      expect(loss[2]![0]).toBeGreaterThan(loss[2]![2]!);
      expect(tf.memory().numTensors).toBe(before);
    });

    it('falls less along the random direction than along the collaborative one', async () => {
      const { loss } = await lossSurface(set, options());
      const drop = (value: number) => loss[2]![2]! - value;
      expect(drop(loss[2]![4]!)).toBeGreaterThan(3 * Math.abs(drop(loss[4]![2]!)));
    });

    it('has orthogonal directions of one length', () => {
      tf.tidy(() => {
        const along = createRandom(3).uniform<tf.Rank.R4>([2, ...imageShape], -1, 1);
        const across = orthogonalTo(along, createRandom(4));
        for (const degrees of angleBetween(along, across).dataSync()) expect(degrees).toBeCloseTo(90, 3);
        const lengths = (x: tf.Tensor) => tf.sum(tf.square(x), [1, 2, 3]).dataSync();
        const [a, b] = [lengths(along), lengths(across)];
        a.forEach((length, i) => expect(b[i]! / length).toBeCloseTo(1, 4));
      });
    });
  });

  it('stops between two batches', async () => {
    const stop = { signal: AbortSignal.abort() };
    const options = { model, norm: linf, epsilons: [0.1], steps: 1, stepSize: 0.1, batchSize: 5 };
    await expect(collaborativeLosses(set, { ...options, ...stop })).rejects.toThrow();
  });
});
