import { beforeAll, describe, expect, it } from '@jest/globals';
import { discrepancy, discrepancyNames, oneHotLabels, useEngine, type Views } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { between } from './between.js';
import { crossEntropyAt } from './cross-entropy.js';
import { unlabelledEntropy } from './entropy.js';
import { boostedCrossEntropyAt, weightedKl } from './mart.js';
import { squeezed } from './squeeze.js';

beforeAll(() => useEngine('wasm'));

type Logits = Record<string, number[][]>;

function viewsOf(logits: Logits, labels: number[]): Views {
  const tensors = new Map(Object.entries(logits).map(([role, z]) => [role, tf.tensor2d(z)]));
  const batch = { images: tf.zeros<tf.Rank.R4>([labels.length, 1, 1, 1]), labels: tf.tensor1d(labels, 'int32') };
  const classes = Object.values(logits)[0]![0]!.length;
  return {
    batch,
    classes,
    y: oneHotLabels(batch.labels, classes),
    epoch: 0,
    epochs: 1,
    progress: 0,
    z: Object.fromEntries(tensors) as unknown as Views['z'],
    features: () => tf.scalar(0),
    fact: () => tf.scalar(0),
  };
}

const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];
const softmax = (z: number[]) => z.map((v) => Math.exp(v) / z.reduce((sum, w) => sum + Math.exp(w), 0));

/** Every term over every role, for tests that hold for all of them. */
const terms: Record<string, (views: Views) => tf.Tensor1D> = {
  'cross-entropy': crossEntropyAt('natural'),
  'boosted cross-entropy': boostedCrossEntropyAt('adversarial'),
  'weighted KL': weightedKl('adversarial'),
  entropy: unlabelledEntropy,
  ...Object.fromEntries(
    discrepancyNames.flatMap((name) => [
      [`${name} between natural and adversarial`, between('natural', 'adversarial', discrepancy(name))],
      [`${name} of the squeezed pair`, squeezed(discrepancy(name))],
    ]),
  ),
};

const roles = ['natural', 'adversarial', 'collaborative'] as const;

describe.each(Object.entries(terms))('%s', (_, term) => {
  it.each([
    ['at logits of +-50', { natural: [[50, -50, 0]], adversarial: [[-50, 50, 0]], collaborative: [[0, 50, -50]] }],
    ['at ties', { natural: [[1, 1, 1]], adversarial: [[2, 2, 2]], collaborative: [[0, 0, 0]] }],
    ['at identical points', { natural: [[3, 1, 2]], adversarial: [[3, 1, 2]], collaborative: [[3, 1, 2]] }],
  ])('is finite with finite gradients %s', (_place, logits) => {
    for (const label of [0, 1, -1]) {
      const views = viewsOf(logits, [label]);
      const at = (role: string, z: tf.Tensor): Views => ({
        ...views,
        z: { ...views.z, [role]: z as tf.Tensor2D },
      });
      expect(numbers(term(views)).every(Number.isFinite)).toBe(true);
      for (const role of roles) {
        // a term that does not read the role has no gradient there
        const sum = (z: tf.Tensor) => tf.add(tf.sum(term(at(role, z))), tf.mul(0, tf.sum(z)));
        expect(numbers(tf.grad(sum)(views.z[role])).every(Number.isFinite)).toBe(true);
      }
    }
  });

  it('has the gradient that finite differences show', () => {
    const logits = { natural: [[0.5, -0.3, 0.2]], adversarial: [[-0.4, 0.9, 0.1]], collaborative: [[1.2, -0.8, 0.3]] };
    const views = viewsOf(logits, [0]);
    for (const role of roles) {
      const at = (z: tf.Tensor) => tf.sum(term({ ...views, z: { ...views.z, [role]: z as tf.Tensor2D } }));
      const gradient = numbers(tf.grad((z) => tf.add(at(z), tf.mul(0, tf.sum(z))))(views.z[role]));
      const h = 1e-2;
      gradient.forEach((value, i) => {
        const shift = tf.tensor2d([[0, 1, 2].map((j) => (j === i ? h : 0))]);
        const [up, down] = [tf.add(views.z[role], shift), tf.sub(views.z[role], shift)].map((z) => numbers(at(z))[0]!);
        expect(Math.abs(value - (up! - down!) / (2 * h))).toBeLessThan(2e-3);
      });
    }
  });
});

describe('between', () => {
  it('is D(p(from) || p(to)) with KL', () => {
    const [p, q] = [softmax([1, 0]), softmax([-1, 2])];
    const expected = p[0]! * Math.log(p[0]! / q[0]!) + p[1]! * Math.log(p[1]! / q[1]!);
    const views = viewsOf({ natural: [[1, 0]], adversarial: [[-1, 2]] }, [0]);
    expect(numbers(between('natural', 'adversarial', discrepancy('kl'))(views))[0]).toBeCloseTo(expected, 6);
  });
});

describe('boosted cross-entropy', () => {
  it('adds -log(1.0001 - p_k) of the strongest wrong class', () => {
    const p = softmax([1, 3, 2]);
    const views = viewsOf({ adversarial: [[1, 3, 2]] }, [0]);
    const [value] = numbers(boostedCrossEntropyAt('adversarial')(views));
    expect(value).toBeCloseTo(-Math.log(p[0]!) - Math.log(1.0001 - p[1]!), 5);
  });

  it('is 0 for an example without a label', () => {
    const views = viewsOf({ adversarial: [[1, 3, 2]] }, [-1]);
    expect(numbers(boostedCrossEntropyAt('adversarial')(views))[0]).toBeCloseTo(0, 7);
  });

  it('refuses a model with one class, naming itself', () => {
    const views = viewsOf({ adversarial: [[1]] }, [0]);
    expect(() => boostedCrossEntropyAt('adversarial')(views)).toThrow(
      'the boosted cross-entropy needs a wrong class; the model has 1 class',
    );
  });
});

describe('weighted KL', () => {
  it('vanishes where the model is sure of the natural image', () => {
    const views = viewsOf({ natural: [[30, 0, 0]], adversarial: [[0, 3, 0]] }, [0]);
    expect(numbers(weightedKl('adversarial')(views))[0]).toBeLessThan(1e-4);
  });
});

describe('entropy without labels', () => {
  it('has the mean over unlabelled examples as its mean over all', () => {
    const views = viewsOf(
      {
        natural: [
          [0, 0],
          [5, 0],
          [0, 0],
          [0, 0],
        ],
      },
      [0, 1, -1, 1],
    );
    const values = numbers(unlabelledEntropy(views));
    expect(values.reduce((sum, value) => sum + value, 0) / 4).toBeCloseTo(Math.log(2), 6);
  });
});

describe('squeezed pair', () => {
  it('compares the least and the most probable of the three points', () => {
    const views = viewsOf({ natural: [[2, 0]], collaborative: [[1, 0]], adversarial: [[3, 0]] }, [0]);
    // least probable: collaborative; most probable: adversarial
    const expected = numbers(discrepancy('squared-l2')(tf.tensor2d([[1, 0]]), tf.tensor2d([[3, 0]])))[0]!;
    expect(numbers(squeezed(discrepancy('squared-l2'))(views))[0]).toBeCloseTo(expected, 6);
  });
});
