import { beforeAll, describe, expect, it } from '@jest/globals';
import { norms, useEngine, type Objective, type StepOutcome } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const threat = { norm: norms.linf, epsilon: 0.1 };
const numbers = (tensor: tf.Tensor) => [...tensor.dataSync()];
const radiiOf = (objective: Objective, labels: number[], epoch: number) =>
  numbers(objective.radii!(smallBatch(labels), { threat, epoch, epochs: 20 }));
const options = { inner: { steps: 1 }, warmup: 2 };

/** A step in the epoch; shares of each class that its adversarial logits get right. */
function step(objective: Objective, labels: number[], epoch: number) {
  const batch = smallBatch(labels);
  return oneStep(
    { model: smallNetwork(), batch, objective, context: { threat, epoch, epochs: 20 } },
    (outcome: StepOutcome) => {
      const guesses = numbers(tf.argMax(outcome.loss.logits.get('adversarial')!, 1));
      const share = (k: number) => {
        const own = labels.flatMap((label, i) => (label === k ? [Number(guesses[i] === k)] : []));
        return own.length === 0 ? 1 : own.reduce((sum, right) => sum + right, 0) / own.length;
      };
      return { shares: [0, 1, 2].map(share), losses: numbers(outcome.loss.values) };
    },
  );
}

describe.each(['cfa', 'cfa-trades'])('%s', (use) => {
  it('has one radius until the warm-up is over, then radiusBase + the last robust accuracy of each class', () => {
    const objective = make('objective', { use, ...options });
    const labels = [0, 1, 2, 1, 0, 0, 2, 2];
    expect(radiiOf(objective, labels, 1)).toEqual(labels.map(() => expect.closeTo(0.1, 6)));
    const { shares } = step(objective, labels, 1);
    objective.afterEpoch!({ epoch: 1, epochs: 20, model: smallNetwork() });
    const expected = labels.map((label) => expect.closeTo(0.1 * (0.5 + shares[label]!), 6) as unknown as number);
    expect(radiiOf(objective, labels, 2)).toEqual(expected);
    // the end of an epoch that was interrupted in its validation comes twice
    objective.afterEpoch!({ epoch: 1, epochs: 20, model: smallNetwork() });
    expect(radiiOf(objective, labels, 2)).toEqual(expected);
    expect(radiiOf(objective, [-1], 2)).toEqual([expect.closeTo(0.1, 6)]);
    objective.dispose!();
  });

  it('keeps the accuracy of a class that an epoch has none of', () => {
    const objective = make('objective', { use, ...options });
    const { shares } = step(objective, [0, 0, 1], 0);
    objective.afterEpoch!({ epoch: 0, epochs: 20, model: smallNetwork() });
    expect(radiiOf(objective, [0, 1, 2], 2)).toEqual(
      [shares[0]!, shares[1]!, 1].map((share) => expect.closeTo(0.1 * (0.5 + share), 6) as unknown as number),
    );
    objective.dispose!();
  });
});

it('cfa-trades weighs the KL of a class by b / (1 + b), and its cross-entropy by 1 / (1 + b)', () => {
  const objective = make('objective', { use: 'cfa-trades', beta: 3, ...options });
  const plain = make('objective', { use: 'trades', inner: { steps: 1 } });
  const labels = [1, 1];
  const losses = (of: Objective, epoch: number) => step(of, labels, epoch).losses;
  const [, ce, kl] = losses(plain, 0);
  const [total, ceShare, klShare] = losses(objective, 0);
  expect(ceShare).toBeCloseTo(ce! / 4, 5);
  expect(klShare).toBeCloseTo((3 / 4) * kl!, 5);
  expect(total).toBeCloseTo(ceShare! + klShare!, 5);
  objective.dispose!();
});

it('counts its clean pass where the released code is asked for', () => {
  expect(make('objective', { use: 'cfa', cleanPass: true }).passesAfter).toEqual(['natural']);
  expect(make('objective', { use: 'cfa' }).passesAfter).toBeUndefined();
});
