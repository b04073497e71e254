import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { takeExamples, type Batch } from '../batch.js';
import { logitsOf, surrounded, type Classifier, type Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { linf } from '../threat/index.js';
import { goldenRandom, readGolden, evaluated, toyClassifier, toyImages, type GoldenTensor } from '../testing/golden.js';
import { margin, stopGradient } from '../loss/index.js';
import { fixedStepAttack, type FixedStep } from './fixed-step.js';
import { momentum } from './mi-fgsm.js';

/** What every record says about all 64 final points. */
interface Summary {
  readonly margin: number[];
  readonly pred: number[];
  readonly linf: number[];
  readonly l2: number[];
}
interface Run {
  readonly steps: number;
  readonly x_adv: GoldenTensor;
  readonly iterates: { t: number; x: GoldenTensor }[];
  readonly all: Summary;
}
interface Goldens {
  readonly fgsm: { x_adv: GoldenTensor; all: Summary };
  readonly ifgsm: { runs: Run[] };
  readonly mifgsm: { runs: Run[] };
  readonly pgd: { runs: Run[]; clipped_start_variant: { all: Summary } };
  readonly cw_inf: { runs: Run[] };
  readonly pgd_trades: Run;
  readonly pgd_rst: {
    runs: { steps: number; alpha: number; random_start: boolean; seeds: number[]; robust_after_all: string }[];
  };
}
const golden = readGolden<Goldens>('fixed-step');
const images = toyImages();
const eight = 8 / 255;

describe('fixed-step attacks', () => {
  it('averages gradients over passes, so that noise of the model does not lead them', async () => {
    await useEngine('wasm');
    const plain = toyClassifier();
    const few = takeExamples(images, [0, 1, 2, 3]);
    let pass = 0;
    // the gradients of every second pass point the other way, half as strong
    const back = (z: tf.Tensor2D) => tf.add(tf.mul(z, -0.5), stopGradient(tf.mul(z, 1.5))) as tf.Tensor2D;
    const moody = surrounded(plain, { after: (z) => (pass++ % 2 === 0 ? z.clone() : back(z)) });
    const points = (model: Classifier, eot?: number) =>
      fixedStepAttack(
        few,
        { loss: 'margin', start: 'image', steps: 3, stepSize: eight / 4, ...(eot !== undefined && { eot }) },
        { model, threat: { norm: linf, epsilon: eight }, random: goldenRandom(1) },
      );
    const [calm, averaged, misled] = [points(plain), points(moody, 2), points(moody)];
    const apart = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!);
    expect(apart(calm, averaged)).toBeLessThan(1e-6);
    expect(apart(calm, misled)).toBeGreaterThan(eight / 4);
    tf.dispose([calm, averaged, misled, few.images, few.labels]);
    plain.dispose();
  });

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

  const attack = (options: FixedStep, { seed = 101, epsilon = eight } = {}) =>
    fixedStepAttack(batch, options, { model, threat: { norm: linf, epsilon }, random: goldenRandom(seed) });

  /** 1e-6 per pixel; up to 1 % of the pixels of 5 % of the images may be a whole step off (a gradient near zero). */
  const expectImages = (actual: tf.Tensor4D, expected: GoldenTensor) => {
    const values = actual.dataSync();
    const off = expected.data.filter((value, i) => Math.abs(values[i]! - value) > 1e-6).length;
    expect(off / expected.data.length).toBeLessThan(0.0005);
  };
  const expectSummary = (actual: tf.Tensor4D, expected: Summary) => {
    const logits = logitsOf(model, actual);
    const margins = margin(logits, batch.labels).dataSync();
    const far = expected.margin.filter((value, i) => Math.abs(margins[i]! + value) > 1e-4);
    expect(far.length).toBeLessThanOrEqual(3);
    expect([...tf.argMax(logits, 1).dataSync()]).toEqual(expected.pred);
  };
  const ce: FixedStep = { loss: 'ce', steps: 10, stepSize: 2 / 255, start: 'image' };

  it('repeats FGSM of the official code', () => {
    const points = attack({ ...ce, steps: 1, stepSize: eight });
    expectImages(points, golden.fgsm.x_adv);
    expectSummary(points, golden.fgsm.all);
  });
  it('repeats I-FGSM, also its first three iterates', () => {
    const run = golden.ifgsm.runs[0]!;
    for (const { t, x } of run.iterates) expectImages(attack({ ...ce, steps: t }), x);
    expectSummary(attack({ ...ce, steps: run.steps }), run.all);
  });
  it('repeats MI-FGSM, also its first three iterates', () => {
    const run = golden.mifgsm.runs[0]!;
    const withMomentum = (steps: number) => {
      const { transform, dispose } = momentum(1);
      const points = attack({ ...ce, steps, transform });
      dispose();
      return points;
    };
    for (const { t, x } of run.iterates) expectImages(withMomentum(t), x);
    expectSummary(withMomentum(run.steps), run.all);
  });
  it('repeats PGD-20 from the recorded noise', () => {
    const run = golden.pgd.runs[0]!;
    const random: FixedStep = { ...ce, start: 'random' };
    for (const { t, x } of run.iterates) expectImages(attack({ ...random, steps: t }), x);
    const points = attack({ ...random, steps: run.steps });
    expectImages(points, run.x_adv);
    expectSummary(points, run.all);
  });
  it('repeats PGD-20 with the start clipped to the pixel range', () => {
    const points = attack({ ...ce, start: 'random', clipStart: true, steps: 20 });
    expectSummary(points, golden.pgd.clipped_start_variant.all);
  });
  it('repeats C&W-linf: PGD on the margin without a confidence clamp', () => {
    const run = golden.cw_inf.runs[0]!;
    for (const { t, x } of run.iterates) expectImages(attack({ ...ce, loss: 'margin', start: 'random', steps: t }), x);
    expectSummary(attack({ ...ce, loss: 'margin', start: 'random', steps: run.steps }), run.all);
  });
  it('repeats PGD as TRADES evaluates (0.031, 20 steps of 0.003)', () => {
    const run = golden.pgd_trades;
    const points = attack({ ...ce, start: 'random', steps: 20, stepSize: 0.003 }, { epsilon: 0.031 });
    expectSummary(points, run.all);
  });
  it("repeats RST's protocol: an example is robust only if every iterate of every restart is classified correctly", () => {
    for (const run of golden.pgd_rst.runs.filter(({ seeds }) => seeds.length === 1)) {
      const start = run.random_start ? 'random' : 'image';
      const points = attack(
        { ...ce, steps: run.steps, stepSize: run.alpha, start, keep: 'any' },
        { seed: run.seeds[0], epsilon: 0.031 },
      );
      const wrong = tf.notEqual(tf.argMax(logitsOf(model, points), 1), batch.labels).dataSync();
      expect([...wrong].map((flag) => 1 - flag).join('')).toBe(run.robust_after_all);
    }
  });
  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    attack({ ...ce, start: 'random', steps: 2, restarts: 2, keep: 'any', loss: 'kl' }).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('on the cpu engine', () => {
  it('FGSM and two steps of I-FGSM of the first images are the same', async () => {
    await useEngine('cpu');
    const model = toyClassifier();
    const part = takeExamples(images, [0, 1]);
    const run = golden.ifgsm.runs[0]!.iterates.find(({ t }) => t === 2)!;
    const points = fixedStepAttack(
      part,
      { loss: 'ce', steps: 2, stepSize: 2 / 255, start: 'image' },
      { model, threat: { norm: linf, epsilon: eight }, random: goldenRandom(0) },
    );
    const values = points.dataSync();
    run.x.data.forEach((value, i) => i < values.length && expect(Math.abs(values[i]! - value)).toBeLessThan(1e-6));
    tf.dispose([points, part.images, part.labels]);
    model.dispose();
  });
});
