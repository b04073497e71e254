import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { takeExamples, type Batch } from '../../batch.js';
import type { Network } from '../../classifier/index.js';
import { useEngine } from '../../engine/index.js';
import {
  goldenRandom,
  readGolden,
  evaluated,
  toyClassifier,
  toyImages,
  type GoldenTensor,
} from '../../testing/golden.js';
import { norms } from '../../threat/index.js';
import { misclassified } from '../judge.js';
import { bump } from './bump.js';
import { square, squareSearch, type SquareOptions } from './search.js';
import { shareAt, sideAt } from './side.js';

interface Run {
  n_queries: number;
  attacked: string;
  queries_used: number[];
  margin_min: number[];
  x_best: GoldenTensor;
}
interface File {
  eps: number;
  seed: number;
  run_50: Run;
  run_300: Run;
}
interface Seeds {
  runs: { loss: 'margin' | 'ce'; resc_schedule: boolean; seed: number; robust: string }[];
  p_schedule: {
    p_init: number;
    iters: number[];
    fixed: number[];
    rescaled_5000: number[];
    side_linf_32x32x3: number[];
  };
  eta_rectangles: { norm: 'L2' | 'L1'; rows: number; cols: number; out: number[][] }[];
}
const golden = readGolden<Record<'linf' | 'l2' | 'l1', File>>('square');
const seeds = readGolden<Seeds>('square-seeds');
const base: SquareOptions = { queries: 1000, initialShare: 0.8, loss: 'margin', rescale: false };
const images = toyImages();
let model: Network;
let batch: Batch;

beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
  batch = takeExamples(images, [...images.labels.keys()]);
});
afterAll(() => {
  model.dispose();
  tf.dispose([batch.images, batch.labels]);
});

describe('the squares', () => {
  const { iters, fixed, side_linf_32x32x3: sides } = seeds.p_schedule;
  it('shrink on the schedule of the official code', () => {
    const shares = iters.map((i) => shareAt(i, { initial: 0.8, queries: 5000, rescale: false }));
    expect(shares).toEqual(fixed);
    expect(shares.map((share) => sideAt(share, { height: 32, width: 32, smooth: false }))).toEqual(sides);
  });
  it('stretch the schedule to the budget on request', () => {
    const { rescaled_5000: rescaled } = seeds.p_schedule;
    const shares = iters
      .slice(0, rescaled.length)
      .map((i) => shareAt(i, { initial: 0.8, queries: 5000, rescale: true }));
    expect(shares).toEqual(rescaled);
  });
  it('carry bumps like those of the official code', () => {
    for (const { norm, rows, cols, out } of seeds.eta_rectangles) {
      const values = bump(rows, cols, norm === 'L2' ? norms.l2 : norms.l1);
      out.flat().forEach((value, i) => expect(values[i]).toBeCloseTo(value, 7));
    }
  });
});

describe.each(['linf', 'l2', 'l1'] as const)('the square search in the %s ball', (name) => {
  const file = golden[name];
  it.each([file.run_50, file.run_300].map((run) => [run.n_queries, run] as const))(
    'replays %d queries draw by draw',
    async (queries, run) => {
      const indices = [...run.attacked].flatMap((flag, i) => (flag === '1' ? [i] : []));
      const part = takeExamples(images, indices);
      const epsilon = name === 'linf' ? 8 / 255 : file.eps;
      const context = { model, threat: { norm: norms[name], epsilon }, random: goldenRandom(file.seed) };
      const before = tf.memory().numTensors;
      const result = await squareSearch(part, { ...base, queries }, context);
      expect(tf.memory().numTensors).toBe(before + 1);
      expect([...result.queries]).toEqual(run.queries_used);
      const off = run.margin_min.filter((value, e) => Math.abs(value - result.margins[e]!) > 1e-4);
      expect(off.length).toBeLessThanOrEqual(name === 'linf' ? 0 : 1);
      tf.dispose([part.images, part.labels, result.best]);
    },
  );
});

describe('the square attack', () => {
  // one run per loss; the other seeds and the rescaled schedule differ in their draws only
  const cases = seeds.runs.filter(({ seed, resc_schedule }) => seed === 104 && !resc_schedule);
  it.each(cases.map((run) => [run.loss, run.resc_schedule, run] as const))(
    'breaks the examples that the official code breaks, loss %s, rescaled %s',
    async (loss, rescale, run) => {
      const context = { model, threat: { norm: norms.linf, epsilon: 8 / 255 }, random: goldenRandom(run.seed) };
      const candidates = await square(batch, { ...base, loss, rescale }, context);
      const robust = [...misclassified(model, candidates, batch.labels).dataSync()].map((flag) => 1 - flag);
      expect(robust.filter((flag, i) => flag !== Number(run.robust[i])).length).toBeLessThanOrEqual(1);
      candidates.dispose();
    },
  );
});
