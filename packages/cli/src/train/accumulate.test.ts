import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createRandom, takeExamples, useEngine, type Batch } from '@bulwark/core';
import { checkRun, compose } from '@bulwark/core/run';
import { disposeOutcome, splitBatch, stepGradients, trainStep } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

const inner = { steps: 2, stepSize: 0.05, start: 'none' };
/** Without BatchNorm, which normalises every part by itself. */
const model = { use: 'mlp', width: 8, depth: 1 };

async function composed(over: Record<string, unknown>) {
  const checked = await checkRun(tinyConfig({ model, ...over }), { registry: testRegistry(), baseFolder: tmpdir() });
  const { parts } = await compose(checked.config, { registry: checked.registry, baseFolder: tmpdir() });
  const random = createRandom(1, 'attack/0/0');
  const context = { model: parts.model, threat: parts.threat, random, epoch: 0, epochs: 1 };
  return { ...parts, learningRate: 0.1, context };
}

/** Gradients of the same weights, with the batch in `parts` parts. */
async function gradients(over: Record<string, unknown>, parts: number, change: (batch: Batch) => Batch = (b) => b) {
  const setup = await composed(over);
  const batch = change(
    takeExamples(
      setup.data.train,
      Array.from({ length: 10 }, (_, i) => i),
    ),
  );
  const outcome = stepGradients(parts === 1 ? [batch] : splitBatch(batch, parts), setup);
  const found = new Map([...outcome.gradients].map(([name, gradient]) => [name, [...gradient.dataSync()]]));
  const values = [...outcome.loss.values.dataSync()];
  const rows = [...outcome.loss.logits.values()].map(({ shape }) => shape[0]);
  disposeOutcome(outcome);
  return { found, values, rows };
}

const close = (a: readonly number[], b: readonly number[]) => {
  expect(a).toHaveLength(b.length);
  a.forEach((value, i) => expect(Math.abs(value - b[i]!)).toBeLessThan(2e-6 * Math.max(1, Math.abs(b[i]!))));
};

const withoutLabels = (batch: Batch): Batch => ({
  ...batch,
  labels: tf.tensor1d([0, -1, 2, -1, -1, -1, 0, 1, 2, -1], 'int32'),
});

describe('gradients accumulated over parts of a batch', () => {
  it.each([
    ['natural', { objective: 'natural' }],
    ['AT', { objective: { use: 'at', inner } }],
    ['MART', { objective: { use: 'mart', inner } }],
    ['AT with AWP', { objective: { use: 'at', inner }, weightPerturber: { use: 'awp', gamma: 0.1 } }],
    ['AT with RWP', { objective: { use: 'at', inner }, weightPerturber: { use: 'rwp', gamma: 0.1, steps: 2 } }],
  ])('are those of the whole batch: %s', async (_name, over) => {
    const whole = await gradients(over, 1);
    for (const parts of [2, 3, 10]) {
      const summed = await gradients(over, parts);
      expect(summed.rows).toEqual(whole.rows);
      close(summed.values, whole.values);
      for (const [name, values] of whole.found) close(summed.found.get(name)!, values);
    }
  });

  it('weigh unlabelled examples as the whole batch does', async () => {
    const over = { objective: { use: 'compose', inner: 'none' } };
    const whole = await gradients(over, 1, withoutLabels);
    const parts = await gradients(over, 3, withoutLabels);
    close(parts.values, whole.values);
    for (const [name, values] of whole.found) close(parts.found.get(name)!, values);
  });

  it('cut a batch into parts that differ by one example at most, none empty', async () => {
    const { data } = await composed({});
    const sizes = (count: number, parts: number) => {
      const batch = takeExamples(
        data.train,
        Array.from({ length: count }, (_, i) => i),
      );
      return splitBatch(batch, parts).map(({ labels }) => labels.shape[0]);
    };
    expect(sizes(10, 4).toSorted()).toEqual([2, 2, 3, 3]);
    expect(sizes(3, 8)).toEqual([1, 1, 1]);
  });

  it('update running statistics once per part, and leak nothing', async () => {
    const setup = await composed({ model: { use: 'small-cnn', width: 2 } });
    const batch = takeExamples(setup.data.train, [0, 1, 2, 3, 4, 5, 6]);
    let updates = 0;
    const counted = { ...setup.model, applyStatistics: (s: never) => (updates++, setup.model.applyStatistics(s)) };
    const step = () => disposeOutcome(trainStep(batch, { ...setup, model: counted, accumulate: 3 }));
    step();
    expect(updates).toBe(3);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) step();
    expect(tf.memory().numTensors).toBe(before);
  });
});
