import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { disposeBatch, takeExamples, type Batch } from '../../batch.js';
import type { Network } from '../../classifier/index.js';
import { useEngine } from '../../engine/index.js';
import { createRandom } from '../../random.js';
import { readGolden, evaluated, toyClassifier, toyImages, type GoldenTensor } from '../../testing/golden.js';
import { norms, type NormName } from '../../threat/index.js';
import { ddn } from './ddn.js';
import { fmn } from './fmn.js';
import type { MinimumNormRun } from './nearest.js';

interface Run {
  steps: number;
  targets?: number[];
  starting_image_index?: number[];
  binary_search_steps?: number;
  alpha_init?: number;
  gamma_init?: number;
  gamma_final?: number;
  gamma?: number;
  init_norm?: number;
  levels?: number | null;
  /** Of the first six images, one flag and one length per step. */
  is_adversarial_per_step: string[];
  norm_per_step: number[][];
  best_norm: number[];
  found: string;
  stable: string;
  /** Image 0 after one and two steps. */
  points: GoldenTensor[];
}
interface File {
  norm: NormName;
  runs: Run[];
  curve?: { steps: number; eps: number[]; robust_fraction: number[] };
}
const files = readGolden<Record<string, File>>('minimum-norm');
const images = toyImages();
const first24 = [...Array(24).keys()];
let model: Network;
let batch: Batch;
beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
  batch = takeExamples(images, first24);
});
afterAll(() => {
  model.dispose();
  disposeBatch(batch);
});

interface Seen {
  point: Float32Array;
  adversarial: number[];
  length: number[];
}

/** Runs what the record describes; returns what every step saw, the nearest norms and where something was found. */
async function replay(norm: NormName, run: Run) {
  const seen: Seen[] = [];
  const targets = run.targets && tf.tensor1d(run.targets, 'int32');
  const from = run.starting_image_index && takeExamples(images, run.starting_image_index);
  const common: MinimumNormRun = {
    ...{ images: batch.images, labels: batch.labels, model, steps: run.steps },
    ...(targets && { targets }),
    trace: ({ point, adversarial, length }) =>
      void seen.push({
        point: point.dataSync().slice() as Float32Array,
        adversarial: [...adversarial.dataSync()],
        length: [...length.dataSync()],
      }),
  };
  const before = tf.memory().numTensors;
  const points =
    run.alpha_init === undefined
      ? await ddn({
          ...common,
          firstRadius: run.init_norm!,
          gamma: run.gamma!,
          levels: run.levels ?? undefined,
          random: createRandom(0),
        })
      : await fmn({
          ...common,
          norm: norms[norm],
          stepSize: run.alpha_init,
          gamma: { first: run.gamma_init!, last: run.gamma_final! },
          ...(from && { start: { points: from.images, bisections: run.binary_search_steps! } }),
        });
  expect(tf.memory().numTensors).toBe(before + 1);
  const best = tf.tidy(() => [...norms[norm].measure(tf.sub(points, batch.images)).dataSync()]);
  const [low, high] = tf.tidy(() => [tf.min(points).dataSync()[0]!, tf.max(points).dataSync()[0]!]);
  tf.dispose([points, ...(targets ? [targets] : []), ...(from ? [from.images, from.labels] : [])]);
  expect([low >= 0, high <= 1]).toEqual([true, true]);
  return { seen, best };
}

const relative = (actual: number, expected: number) => Math.abs(actual - expected) / Math.max(expected, 1e-6);

const cases = Object.entries(files).flatMap(([name, { norm, runs }]) =>
  runs.map((run) => {
    const how = run.targets ? 'targeted' : run.starting_image_index ? 'from adversarial points' : 'untargeted';
    return [`${name} ${how}, ${run.steps} steps${run.levels ? ', bytes' : ''}`, norm, run] as const;
  }),
);

describe.each(cases)('minimum-norm attacks: %s', (_name, norm, run) => {
  it("repeats the authors' code: points, norms and success of every step, the nearest norms", async () => {
    const { seen, best } = await replay(norm, run);
    run.points.forEach(({ data }, t) =>
      data.forEach((value, j) => expect(Math.abs(seen[t + 1]!.point[j]! - value)).toBeLessThan(1e-5)),
    );
    const tracked = run.is_adversarial_per_step.map((flags, e) => ({ flags, e, stable: run.stable[e] === '1' }));
    for (const { flags, e, stable } of tracked)
      if (stable) {
        expect(seen.map(({ adversarial }) => adversarial[e]).join('')).toBe(flags);
        // a pixel next to a rounding boundary may fall to the other of two bytes
        const allowed = (value: number) => (run.levels ? 1 / (run.levels - 1) : 1e-3 * Math.max(value, 1e-6));
        run.norm_per_step[e]!.forEach((value, t) =>
          expect(Math.abs(seen[t]!.length[e]! - value)).toBeLessThan(allowed(value)),
        );
      }
    const off = run.best_norm.filter((value, e) => relative(best[e]!, value) > 1e-3);
    expect(off.length).toBeLessThanOrEqual(1);
    // where nothing was found the image comes back
    [...run.found].forEach((flag, e) => flag === '0' && expect(best[e]).toBe(0));
  });
});
