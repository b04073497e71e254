import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { chooseSides, pick, sideIndex, type Triplet } from './sides.js';

const triplet = (natural: number[], collaborative: number[], adversarial: number[]): Triplet<tf.Tensor2D> => [
  tf.tensor2d([natural]),
  tf.tensor2d([collaborative]),
  tf.tensor2d([adversarial]),
];

const chosen = (logits: Triplet<tf.Tensor2D>, label = 0) => {
  const { upper, lower } = chooseSides(logits, tf.tensor1d([label], 'int32'));
  return { upper: sideIndex(upper).dataSync()[0], lower: sideIndex(lower).dataSync()[0] };
};

describe.each(['wasm', 'cpu'] as const)('sides of the triplet on %s', (engine) => {
  beforeAll(() => useEngine(engine));

  it('puts the least probable point above and the most probable below', () => {
    expect(chosen(triplet([2, 0], [3, 0], [1, 0]))).toEqual({ upper: 2, lower: 1 });
    expect(chosen(triplet([2, 0], [1, 0], [3, 0]))).toEqual({ upper: 1, lower: 2 });
    expect(chosen(triplet([9, 0], [1, 0], [3, 0]))).toEqual({ upper: 1, lower: 0 });
  });

  it('gives ties to natural, then to collaborative', () => {
    expect(chosen(triplet([1, 0], [1, 0], [1, 0]))).toEqual({ upper: 0, lower: 0 });
    expect(chosen(triplet([5, 0], [1, 0], [1, 0]))).toEqual({ upper: 1, lower: 0 });
    expect(chosen(triplet([200, 0], [300, 0], [400, 0]))).toEqual({ upper: 0, lower: 0 });
  });

  it('takes natural for both sides where there is no label', () => {
    expect(chosen(triplet([2, 0], [3, 0], [1, 0]), -1)).toEqual({ upper: 0, lower: 0 });
  });

  it('sends the gradient to the chosen point only', () => {
    const [n, c, a] = triplet([2, 0], [3, 0], [1, 0]);
    const labels = tf.tensor1d([0], 'int32');
    const sum = (...points: tf.Tensor[]) => {
      const logits = points as unknown as Triplet<tf.Tensor2D>;
      return tf.sum(pick(chooseSides(logits, labels).upper, logits));
    };
    const gradients = tf
      .grads(sum)([n, c, a])
      .map((gradient) => [...gradient.dataSync()]);
    expect(gradients).toEqual([
      [0, 0],
      [0, 0],
      [1, 1],
    ]);
  });
});
