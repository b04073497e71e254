import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { takeExamples, type Batch } from '../../batch.js';
import { logitsOf, type Network } from '../../classifier/index.js';
import { useEngine } from '../../engine/index.js';
import { readGolden, evaluated, toyClassifier, toyImages } from '../../testing/golden.js';
import { norms } from '../../threat/index.js';
import { deepFool, type DeepFoolRun } from './run.js';

interface Lts4 {
  name: 'lts4';
  per_example: { loops: number; end_label: number; l2: number }[];
}
interface Foolbox {
  name: 'foolbox_l2' | 'foolbox_linf' | 'torchattacks';
  l2: number[];
  linf: number[];
  pred: number[];
}
const runs = readGolden<{ runs: (Lts4 | Foolbox)[] }>('deepfool').runs;
const lts4 = runs.find((run) => run.name === 'lts4') as Lts4;
const foolbox = runs.filter((run) => run.name.startsWith('foolbox')) as Foolbox[];
const torchattacks = runs.find((run) => run.name === 'torchattacks') as Foolbox;
const base = { iterations: 50, overshoot: 0.02, candidates: 10 };
let model: Network;
let batch: Batch;
beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
  batch = takeExamples(toyImages(), [...Array(16).keys()]);
});
afterAll(() => model.dispose());

async function run({ variant, norm }: { variant: DeepFoolRun['variant']; norm: 'linf' | 'l2' }) {
  const before = tf.memory().numTensors;
  const { points, steps } = await deepFool({ ...base, variant, norm: norms[norm], ...batch, model });
  expect(tf.memory().numTensors).toBe(before + 1);
  return tf.tidy(() => {
    const moved = tf.sub(points, batch.images);
    return {
      steps,
      classes: [...tf.argMax(logitsOf(model, points), 1).dataSync()],
      l2: [...tf.sqrt(tf.sum(tf.square(moved), [1, 2, 3])).dataSync()],
      linf: [...tf.max(tf.abs(moved), [1, 2, 3]).dataSync()],
    };
  });
}

const expectNear = (actual: number[], expected: number[]) =>
  expected.forEach((value, e) => expect(Math.abs(actual[e]! - value)).toBeLessThan(1e-4));

describe('DeepFool', () => {
  it("repeats the authors' code: loops, classes and lengths", async () => {
    const { steps, classes, l2 } = await run({ variant: 'lts4', norm: 'l2' });
    expect(steps).toEqual(lts4.per_example.map(({ loops }) => loops));
    expect(classes).toEqual(lts4.per_example.map(({ end_label }) => end_label));
    expectNear(
      l2,
      lts4.per_example.map((example) => example.l2),
    );
  });
  it.each(foolbox.map((golden) => [golden.name, golden] as const))('repeats %s', async (name, golden) => {
    const { classes, l2, linf } = await run({ variant: 'foolbox', norm: name === 'foolbox_l2' ? 'l2' : 'linf' });
    expect(classes).toEqual(golden.pred);
    expectNear(l2, golden.l2);
    expectNear(linf, golden.linf);
  });
  it('repeats torchattacks, which may end on the boundary exactly: lengths only', async () => {
    const { l2, linf } = await run({ variant: 'torchattacks', norm: 'l2' });
    expectNear(l2, torchattacks.l2);
    expectNear(linf, torchattacks.linf);
  });
});
