import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { geometryWeights } from './gairat.js';
import { make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const weightsOf = (kappa: number[], lambda: number) => [
  ...geometryWeights(tf.tensor1d(kappa), { steps: 10, lambda, weights: 'tanh' }).dataSync(),
];

describe('geometry weights', () => {
  it('are larger near the boundary and have mean 1', () => {
    const weights = weightsOf([0, 5, 10], -1);
    expect(weights[0]).toBeGreaterThan(weights[1]!);
    expect(weights[1]).toBeGreaterThan(weights[2]!);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(3, 5);
  });

  it('are equal where all of them underflow', () => {
    expect(weightsOf([10, 10], -1000)).toEqual([1, 1]);
  });
});

describe('gairat', () => {
  const weightAt = (epoch: number) =>
    oneStep(
      {
        model: smallNetwork(),
        batch: smallBatch([0, 1, 2, 0]),
        objective: make('objective', { use: 'gairat', burnIn: 0.5, inner: { steps: 4 } }),
        context: { epoch, epochs: 10 },
      },
      ({ crafted }) => ({
        weight: [...crafted.facts!['weight']!.dataSync()],
        kappa: [...crafted.facts!['kappa']!.dataSync()],
      }),
    );

  it('is plain adversarial training in the first part of the run', () => {
    expect(weightAt(4).weight).toEqual([1, 1, 1, 1]);
  });

  it('weighs by distance to the boundary afterwards', () => {
    const { weight, kappa } = weightAt(5);
    expect(kappa.every((steps) => steps >= 0 && steps <= 4)).toBe(true);
    expect(weight.reduce((sum, value) => sum + value, 0)).toBeCloseTo(4, 5);
  });
});
