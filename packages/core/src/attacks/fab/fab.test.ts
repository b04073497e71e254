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
import { norms, type NormName } from '../../threat/index.js';
import { misclassified } from '../judge.js';
import { fabAttack } from './plugin.js';
import { fabRun } from './run.js';

interface Run {
  n_iter: number;
  attacked: number[];
  res: number[];
  la_target?: number[];
  x1_before_backward_step?: { iter: number; x: GoldenTensor }[];
}
interface File {
  norm: 'Linf' | 'L2' | 'L1';
  eps: number;
  runs: Run[];
}
const normName = { Linf: 'linf', L2: 'l2', L1: 'l1' } as const;
const parameters = { alphaMax: 0.1, eta: 1.05, beta: 0.9 };
const images = toyImages();
let model: Network;
beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
});
afterAll(() => model.dispose());

describe.each(Object.entries(readGolden<Record<string, File>>('fab')))('one run of FAB, %s', (_name, file) => {
  const norm = normName[file.norm];
  const threat = { norm: norms[norm], epsilon: norm === 'linf' ? 8 / 255 : file.eps };
  it.each(
    file.runs
      .filter(({ n_iter }) => n_iter === 20)
      .slice(0, 1)
      .map((run, i) => [i, run] as const),
  )('finds the same minimal norms, run %d', async (_i, run) => {
    const part = takeExamples(images, run.attacked);
    const traced: Float32Array[] = [];
    const targets = run.la_target && tf.tensor1d(run.la_target, 'int32');
    const before = tf.memory().numTensors;
    const result = await fabRun({
      images: part.images,
      labels: part.labels,
      targets,
      context: { model, threat, random: goldenRandom(0) },
      iterations: run.n_iter,
      ...parameters,
      randomStart: false,
      trace: (points, i) =>
        i <= 3 && traced.push(points.dataSync().slice(0, points.size / points.shape[0]) as Float32Array),
    });
    expect(tf.memory().numTensors).toBe(before + 1);
    run.x1_before_backward_step?.forEach(({ iter, x }) =>
      x.data.forEach((value, j) => expect(Math.abs(traced[iter - 1]![j]! - value)).toBeLessThan(1e-4)),
    );
    const off = run.res.filter((value, e) => Math.abs(result.distances[e]! / value - 1) > 1e-3);
    expect(off).toEqual([]);
    tf.dispose([part.images, part.labels, result.points, ...(targets ? [targets] : [])]);
  });
});

describe('FAB with restarts and targets', () => {
  const { runs, seed } = readGolden<{ seed: number; runs: { label: string; robust: string }[] }>('fab-perturb');
  const cases: [string, NormName, number, { restarts: number; targets: number }][] = [
    ['untargeted n_restarts=3 n_iter=20 (random start from 2nd restart)', 'linf', 8 / 255, { restarts: 3, targets: 0 }],
    ['targeted n_restarts=1 n_iter=20 n_target_classes=9', 'linf', 8 / 255, { restarts: 1, targets: 9 }],
    ['untargeted L1 n_restarts=2 n_iter=20', 'l1', 3, { restarts: 2, targets: 0 }],
  ];
  it.each(cases)('breaks the examples that the official code breaks: %s', async (label, norm, ...setup) => {
    const [epsilon, options] = setup;
    const batch: Batch = takeExamples(images, [...images.labels.keys()]);
    const attack = fabAttack({ ...parameters, iterations: 20, ...options });
    const context = { model, threat: { norm: norms[norm], epsilon }, random: goldenRandom(seed) };
    const candidates = await attack.run(batch.images, batch.labels, context);
    const robust = [...misclassified(model, candidates, batch.labels).dataSync()].map((flag) => 1 - flag).join('');
    expect(robust).toBe(runs.find((run) => run.label === label)!.robust);
    tf.dispose([candidates, batch.images, batch.labels]);
  });
});
