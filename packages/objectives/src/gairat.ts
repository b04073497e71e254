import { defineObjective, number, type InnerOptimizer } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineBurnIn, examineStart } from './inner/examine.js';
import { inBurnIn, pgdWithKappa } from './inner/geometry.js';
import { onCrossEntropy } from './inner/goals.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

/** From the distance to the boundary to a weight. */
export const weightFunctions = ['tanh', 'sigmoid', 'discrete'] as const;
/** A weight function by its name in configs. */
export type WeightFunction = (typeof weightFunctions)[number];

/**
 * Weights of examples by their distance to the boundary (Zhang et al., 2021, Eq. 6; arXiv:2010.01736), scaled to mean 1. Where all
 * of them underflow to 0, every example gets weight 1: the authors' code divides by 0 there.
 * @param kappa `[batch]` float32 in [0, steps]
 * @returns `[batch]` float32, at least 0
 */
export function geometryWeights(
  kappa: tf.Tensor1D,
  options: { steps: number; lambda: number; weights: WeightFunction },
): tf.Tensor1D {
  const { steps, lambda, weights } = options;
  return tf.tidy(() => {
    const half = Math.max(1, Math.floor(steps / 2));
    const a = tf.add(lambda, tf.mul(5 / half, tf.sub(Math.floor(steps / 2), kappa)));
    // (1 + tanh a) / 2 is sigmoid(2a), which keeps its digits where tanh is close to -1
    const raw =
      weights === 'discrete'
        ? tf.div(tf.sub(steps + 1, kappa), steps + 1)
        : tf.sigmoid(weights === 'tanh' ? tf.mul(2, a) : a);
    const total = tf.sum(raw);
    return tf.where(tf.greater(total, 0), tf.divNoNan(tf.mul(raw, kappa.size), total), tf.onesLike(raw)) as tf.Tensor1D;
  });
}

interface GairatOptions {
  readonly inner: InnerSettings;
  readonly lambda: number;
  readonly weights: WeightFunction;
  readonly burnIn: number;
}

const geometryAware = ({ inner, lambda, weights, burnIn }: GairatOptions): InnerOptimizer => ({
  produces: ['adversarial'],
  craft(batch, context) {
    const { point, kappa } = pgdWithKappa(batch, context, { ...inner, role: 'adversarial', goal: onCrossEntropy });
    const weight = inBurnIn(context, burnIn)
      ? tf.onesLike(kappa)
      : geometryWeights(kappa, { steps: inner.steps, lambda, weights });
    return { points: { adversarial: point }, facts: { kappa, weight } };
  },
});

/** Geometry-aware instance-reweighted adversarial training: AT whose examples near the boundary weigh more. */
export const gairat = defineObjective({
  name: 'gairat',
  summary: 'Adversarial training with examples weighted by their distance to the decision boundary.',
  cite: 'Zhang et al., 2021, Eq. 4 and 6; arXiv:2010.01736',
  options: {
    inner: innerSection({ start: 'uniform', mode: 'eval', stepSize: 0.007 }),
    lambda: number().default(-1).describe('shifts the weights: larger is more even'),
    weights: z.enum(weightFunctions).default('tanh').describe('from distance to weight'),
    burnIn: number({ min: 0, max: 1 }).default(0.5).describe('share of the epochs, from the first, with equal weights'),
    passes: passesOption(),
  },
  examine: ({ inner, burnIn }, plan) => [...examineStart(inner), ...examineBurnIn(burnIn, plan)],
  create: ({ passes, ...options }) => {
    const plain = crossEntropyAt('adversarial');
    return {
      points: geometryAware(options),
      loss: { classification: (views) => tf.mul(views.fact('weight'), plain(views)) as tf.Tensor1D },
      passes,
    };
  },
});
