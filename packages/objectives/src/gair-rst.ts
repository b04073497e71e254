import { defineObjective, kl, number, weight, weighted, type InnerOptimizer, type PerExample } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { examineBurnIn, examineStart } from './inner/examine.js';
import { inBurnIn, pgdWithKappa } from './inner/geometry.js';
import { onClampedMargin, onDiscrepancyToNatural } from './inner/goals.js';
import { pgdPoint } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder } from './terms/passes-option.js';

interface GairRstOptions {
  readonly inner: InnerSettings;
  readonly lambda: number;
  readonly burnIn: number;
}

/** Two points: one climbs the KL and is watched for kappa, one climbs the margin of Carlini and Wagner. */
const twoGoals = ({ inner, lambda, burnIn }: GairRstOptions): InnerOptimizer => ({
  produces: ['adversarial', 'carlini-wagner'],
  craft(batch, context) {
    const onKl = { ...inner, role: 'adversarial', goal: onDiscrepancyToNatural(kl) };
    const { point, kappa } = pgdWithKappa(batch, context, onKl);
    if (inBurnIn(context, burnIn))
      return {
        points: { adversarial: point, 'carlini-wagner': point.clone() },
        facts: { kappa, weight: tf.onesLike(kappa) },
      };
    const other = pgdPoint(batch, context, { ...inner, role: 'carlini-wagner', goal: onClampedMargin });
    // (1 + tanh a) / 2 = sigmoid(2a)
    const weight = tf.tidy(() => tf.sigmoid(tf.mul(2, tf.sub(lambda + inner.steps / 2, kappa))));
    return { points: { adversarial: point, 'carlini-wagner': other }, facts: { kappa, weight } };
  },
});

/** `w KL(x, x_kl) + (1 - w) KL(x, x_cw)`. */
const mixedKl: PerExample = (views) => {
  const share = views.fact('weight');
  const at = (role: string) => between('natural', role, kl)(views);
  const mixed = tf.add(tf.mul(share, at('adversarial')), tf.mul(tf.sub(1, share), at('carlini-wagner')));
  return mixed as tf.Tensor1D;
};

/** Geometry-aware RST: near the boundary the KL counts at the TRADES point, far from it at a margin point. */
export const gairRst = defineObjective({
  name: 'gair-rst',
  summary: 'RST with two adversarial points per image, mixed by the distance to the decision boundary.',
  cite: 'Zhang et al., 2021, with the RST loss; arXiv:2010.01736',
  options: {
    beta: weight(6),
    inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: 0.007 }),
    lambda: number().default(3).describe('shifts the mixture towards the TRADES point'),
    burnIn: number({ min: 0, max: 1 })
      .default(0.5)
      .describe('share of the epochs, from the first, with the TRADES point alone'),
    passes: passesInOrder(['adversarial', 'carlini-wagner', 'natural']),
  },
  examine: ({ inner, burnIn }, plan) => [...examineStart(inner, { fromNatural: true }), ...examineBurnIn(burnIn, plan)],
  create: ({ beta, passes, ...options }) => ({
    points: twoGoals(options),
    loss: { classification: crossEntropyAt('natural'), regularizer: weighted(beta, mixedKl) },
    passes,
  }),
});
