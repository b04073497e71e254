import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { takeExamples, type Batch } from '../../batch.js';
import type { Network } from '../../classifier/index.js';
import { useEngine } from '../../engine/index.js';
import { crossEntropy, dlr, targetedDlr } from '../../loss/index.js';
import {
  goldenRandom,
  readGolden,
  evaluated,
  toyClassifier,
  toyImages,
  type GoldenTensor,
} from '../../testing/golden.js';
import { norms, type NormName } from '../../threat/index.js';
import type { LogitLoss } from '../attack-loss.js';
import { misclassified } from '../judge.js';
import { apgdDense } from './dense.js';
import { apgdL1 } from './l1.js';
import { apgd, type ApgdOptions } from './restarts.js';
import { checkpoints } from './schedule.js';

interface Run {
  n_iter: number;
  acc: string;
  loss_best: number[];
  checkpoints: { after_iter: number; window: number; halved: string; step_after: number[] }[];
  step_final: number[];
}
interface File {
  norm: 'Linf' | 'L2' | 'L1';
  eps: number;
  loss: 'ce' | 'dlr' | 'dlr-targeted';
  seed: number;
  n_examples: number;
  y_target?: number[];
  runs: Run[];
  start: GoldenTensor;
  iter1: GoldenTensor;
  iter2: GoldenTensor;
}
const golden = readGolden<Record<string, File>>('apgd');
const normName = { Linf: 'linf', L2: 'l2', L1: 'l1' } as const;
/** Fractions that the files print with nine digits. */
const epsilonOf = (name: NormName, eps: number) => (name === 'linf' ? 8 / 255 : eps);
const share = (flags: boolean[]) => flags.filter(Boolean).length / flags.length;

let model: Network;
let batch: Batch;
const images = toyImages();
beforeAll(async () => {
  await useEngine('wasm');
  model = evaluated(toyClassifier());
  batch = takeExamples(images, [...images.labels.keys()]);
});
afterAll(() => {
  model.dispose();
  tf.dispose([batch.images, batch.labels]);
});

describe('the checkpoints of APGD', () => {
  it('come after 22, 41, 57, 70, 80, 87, 93 and 99 of 100 iterations', () => {
    expect(checkpoints(100).map(({ after }) => after)).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  });
  it('shrink to single iterations in short runs', () => {
    expect(
      checkpoints(20)
        .slice(0, 5)
        .map(({ after }) => after),
    ).toEqual([4, 7, 9, 10, 11]);
  });
});

describe.each(Object.entries(golden))('one run of APGD, %s', (name, file) => {
  const chaotic = (name.includes('dlr') && !name.includes('targeted')) || name === 'l1_ce';
  const normId = normName[file.norm];
  const threat = { norm: norms[normId], epsilon: epsilonOf(normId, file.eps) };

  const runs = file.runs.filter(({ n_iter }) => n_iter !== 100 || file.loss === 'ce');
  it.each(runs.map((run) => [run.n_iter, run] as const))('replays %d iterations', async (iterations, run) => {
    const part = takeExamples(images, [...Array(file.n_examples).keys()]);
    const targets = file.y_target && tf.tensor1d(file.y_target, 'int32');
    const losses: Record<File['loss'], LogitLoss> = {
      ce: (logits) => crossEntropy(logits, part.labels),
      dlr: (logits) => dlr(logits, part.labels),
      'dlr-targeted': (logits) => targetedDlr(logits, part.labels, targets!),
    };
    const points: Float32Array[] = [];
    const seen: { halved: ArrayLike<number>; stepSizes: ArrayLike<number> }[] = [];
    const before = tf.memory().numTensors;
    const result = await (normId === 'l1' ? apgdL1 : apgdDense)({
      images: part.images,
      labels: part.labels,
      context: { model, threat, random: goldenRandom(file.seed) },
      loss: losses[file.loss],
      iterations,
      rho: 0.75,
      eot: 1,
      trace: {
        point: (point, i) => i < 3 && points.push(point.dataSync().slice() as Float32Array),
        checkpoint: ({ halved, stepSizes }) =>
          seen.push({ halved: [...halved.dataSync()], stepSizes: [...stepSizes.dataSync()] }),
      },
    });
    expect(tf.memory().numTensors).toBe(before + 2);
    tf.dispose([result.best, result.adversarial]);

    // the l1 schedule looks back every 4 iterations of 100, every iteration of 10: only short runs share the second point
    const first =
      normId === 'l1' && iterations === 100 ? [file.start, file.iter1] : [file.start, file.iter1, file.iter2];
    first.forEach((expected, i) => {
      const far = expected.data.filter((value, j) => Math.abs(points[i]![j]! - value) > 1e-5);
      expect(far.length / expected.data.length).toBeLessThanOrEqual(0.0005);
    });
    const differing = [...run.acc].filter((flag, e) => Number(flag) !== result.robust[e]);
    expect(differing.length).toBeLessThanOrEqual(chaotic ? 2 : 1);
    const close = run.loss_best.map((value, e) =>
      // DLR has no upper bound and its paths are chaotic: where the attack succeeds only the success is compared
      chaotic && file.loss === 'dlr'
        ? Math.sign(result.bestLoss[e]!) === Math.sign(value) && (value > 0 || result.bestLoss[e]! >= value - 0.1)
        : Math.abs(result.bestLoss[e]! - value) <= 1e-3 * Math.abs(value) + 1e-6,
    );
    expect(share(close)).toBeGreaterThanOrEqual(0.8);
    if (chaotic || normId === 'l1') return;
    const steps = run.checkpoints.flatMap((at, c) =>
      [...at.halved].map(
        (flag, e) =>
          seen[c]!.halved[e] === Number(flag) && Math.abs(seen[c]!.stepSizes[e]! / at.step_after[e]! - 1) < 1e-5,
      ),
    );
    if (steps.length > 0) expect(share(steps)).toBeGreaterThanOrEqual(0.9);
    tf.dispose([part.images, part.labels, ...(targets ? [targets] : [])]);
  });
});

describe('APGD with restarts and targets', () => {
  const runs = readGolden<{ seed: number; runs: { label: string; robust: string; draws: number }[] }>('apgd-perturb');
  const base: ApgdOptions = {
    loss: 'ce',
    iterations: 10,
    restarts: 1,
    targets: 9,
    rho: 0.75,
    eot: 1,
    largeRadii: false,
  };
  const cases: [string, NormName, number, Partial<ApgdOptions>, number][] = [
    ['apgd-ce n_iter=10 n_restarts=3', 'linf', 8 / 255, { restarts: 3 }, 1],
    ['apgd-dlr n_iter=10 n_restarts=2', 'linf', 8 / 255, { loss: 'dlr', restarts: 2 }, 3],
    ['apgd-t n_iter=10 n_target_classes=9', 'linf', 8 / 255, { loss: 'dlr-targeted' }, 1],
    [
      'apgd-t n_iter=10 n_target_classes=3 n_restarts=2',
      'linf',
      8 / 255,
      { loss: 'dlr-targeted', targets: 3, restarts: 2 },
      1,
    ],
    ['apgd-ce L2 n_iter=20 n_restarts=2', 'l2', 0.5, { iterations: 20, restarts: 2 }, 1],
    ['apgd-ce L1 use_largereps n_iter=20', 'l1', 3, { iterations: 20, largeRadii: true }, 4],
  ];
  it.each(cases)('breaks the examples that the official code breaks: %s', async (label, ...setup) => {
    const [norm, epsilon, options, slack] = setup;
    const expected = runs.runs.find((run) => run.label === label)!;
    const before = tf.memory().numTensors;
    const candidates = await apgd(
      batch as Batch,
      { ...base, ...options },
      {
        model,
        threat: { norm: norms[norm], epsilon },
        random: goldenRandom(runs.seed),
      },
    );
    const robust = [...misclassified(model, candidates, batch.labels).dataSync()].map((flag) => 1 - flag);
    const reference = [...expected.robust].map(Number);
    if (norm === 'l1') {
      const count = (flags: number[]) => flags.reduce((sum, flag) => sum + flag, 0);
      expect(Math.abs(count(robust) - count(reference))).toBeLessThanOrEqual(slack);
    } else expect(robust.filter((flag, i) => flag !== reference[i]).length).toBeLessThanOrEqual(slack);
    expect(tf.memory().numTensors).toBe(before + 2);
    candidates.dispose();
  });
});
