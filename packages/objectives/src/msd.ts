import {
  clipToPixelRange,
  crossEntropy,
  defineObjective,
  inputGradient,
  integer,
  logitsOf,
  pixelLength,
  norms,
  type CraftContext,
  type Batch,
  type NormName,
  type PointMaker,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineBalls } from './inner/examine.js';
import { projectOntoL1, sparseStep } from './norms/msd-l1.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

/** How far the attack may go, and how far it steps, in one norm. */
type Reach = { readonly epsilon: number; readonly stepSize: number };

interface MsdOptions {
  readonly balls: Readonly<Record<NormName, Reach>>;
  readonly steps: number;
  readonly projectAllWhenAnyOutside: boolean;
}

/** The order in which the candidates are compared; of equal ones the later wins. */
const order = ['l1', 'l2', 'linf'] as const;

/** The three candidates of one step, each clipped to [0, 1]. */
function candidates(
  images: tf.Tensor4D,
  at: { delta: tf.Tensor4D; gradient: tf.Tensor4D; k: number },
  options: MsdOptions,
) {
  const { delta, gradient, k } = at;
  const { balls, projectAllWhenAnyOutside } = options;
  const stepped = (norm: 'l2' | 'linf'): tf.Tensor4D => {
    const { epsilon, stepSize } = balls[norm];
    const moved = tf.addN([images, delta, tf.mul(stepSize, norms[norm].normalize(gradient))]) as tf.Tensor4D;
    return norms[norm].project(moved, { origin: images, epsilon });
  };
  const sparse = (): tf.Tensor4D => {
    const { epsilon, stepSize } = balls.l1;
    const moved = sparseStep({ images, delta, gradient }, { k, stepSize: (stepSize * 20) / k });
    const projected = projectOntoL1(moved, { epsilon, all: projectAllWhenAnyOutside });
    return clipToPixelRange(tf.add(images, projected) as tf.Tensor4D);
  };
  return { l1: sparse(), l2: stepped('l2'), linf: stepped('linf') };
}

/** `a` where flagged `[batch]` bool, else `b`. */
const where = (flags: tf.Tensor, a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D =>
  tf.where(tf.reshape(flags, [-1, 1, 1, 1]), a, b) as tf.Tensor4D;

/** One step: the gradient, the three candidates, for each example the one of highest loss. */
function msdStep(batch: Batch, context: CraftContext, options: MsdOptions & { point: tf.Tensor4D; step: number }) {
  const { images, labels } = batch;
  const { model, random, observe } = context;
  const y = batch.targets ?? labels;
  const loss = (logits: tf.Tensor2D) => crossEntropy(logits, y);
  const { gradient } = inputGradient(model, options.point, { loss, mode: 'train' });
  const delta = tf.sub(options.point, images) as tf.Tensor4D;
  const k = 5 + random.integer(16);
  const found = candidates(images, { delta, gradient, k }, options);
  let worst: { point: tf.Tensor4D; losses: tf.Tensor1D; which: tf.Tensor } | undefined;
  for (const [at, norm] of order.entries()) {
    const point = found[norm];
    const losses = loss(logitsOf(model, point, 'train'));
    observe?.({ step: options.step, points: { [norm]: point }, loss: losses });
    const which = tf.fill([labels.size], at, 'int32');
    if (!worst) {
      worst = { point, losses, which };
      continue;
    }
    const higher = tf.greaterEqual(losses, worst.losses);
    worst = {
      point: where(higher, point, worst.point),
      losses: tf.maximum(losses, worst.losses) as tf.Tensor1D,
      which: tf.where(higher, which, worst.which),
    };
  }
  const { point, losses, which } = worst!;
  observe?.({
    step: options.step,
    points: { worst: point },
    loss: losses,
    choice: { upper: which as tf.Tensor1D, lower: which as tf.Tensor1D },
  });
  return { point, losses };
}

const steepest =
  (options: MsdOptions): PointMaker =>
  (batch, context) => {
    const { images } = batch;
    let state = { point: images.clone(), best: images.clone(), bestLoss: tf.zeros([batch.labels.size]) };
    for (let step = 0; step < options.steps; step++) {
      const before = state;
      state = tf.tidy(() => {
        const { point, losses } = msdStep(batch, context, { ...options, point: before.point, step });
        const better = tf.greater(losses, before.bestLoss);
        return { point, best: where(better, point, before.best), bestLoss: tf.maximum(losses, before.bestLoss) };
      });
      tf.dispose(Object.values(before));
    }
    tf.dispose([state.point, state.bestLoss]);
    return state.best;
  };

const reach = (epsilon: number, stepSize: number) =>
  z
    .strictObject({
      epsilon: pixelLength({ min: 0 }).default(epsilon).describe('radius in that norm'),
      stepSize: pixelLength({ min: 0 }).default(stepSize).describe('length of one update in that norm'),
    })
    .prefault({});

/** Multi steepest descent: each step of the attack goes in the norm in which it gains most. */
export const msd = defineObjective({
  name: 'msd',
  summary: 'Adversarial training whose attack takes each step in the norm in which it gains most.',
  cite: 'Maini et al., 2020, Algorithm 1; arXiv:1909.04068',
  options: {
    linf: reach(0.03, 0.003).describe('the linf ball'),
    l2: reach(0.5, 0.05).describe('the l2 ball; the authors train with 0.3'),
    l1: reach(12, 0.05).describe('the l1 ball; a step of k pixels is 20 / k times as long on each'),
    steps: integer({ min: 1 }).default(50).describe('updates of the attack'),
    projectAllWhenAnyOutside: z
      .boolean()
      .default(false)
      .describe("the authors' l1 projection: one example outside the ball moves those inside, too"),
    passes: passesOption(),
  },
  examine: ({ linf, l2, l1 }, plan) =>
    examineBalls(
      [
        { norm: 'linf', ...linf },
        { norm: 'l2', ...l2 },
        { norm: 'l1', ...l1 },
      ],
      plan,
    ),
  create: ({ linf, l2, l1, steps, projectAllWhenAnyOutside, passes }) => ({
    points: { adversarial: steepest({ balls: { linf, l2, l1 }, steps, projectAllWhenAnyOutside }) },
    beyond: ['adversarial'],
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
  }),
});
