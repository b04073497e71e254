import { defineObjective, type HookState, type InnerOptimizer, type StepFindings } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { examineBalls } from './inner/examine.js';
import { trainingApgd } from './norms/apgd.js';
import { ballsOption, stepsOption, type Ball } from './norms/options.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

/** How many examples were attacked in each norm, and how many of them withstood, since the run began. */
export interface NormCounts {
  seen: number[];
  robust: number[];
}

/** What each norm is drawn with: the share of examples that did not withstand; equal until every norm was seen, or if all withstand. */
export function drawWeights({ seen, robust }: NormCounts): number[] {
  const equal = seen.map(() => 0.5);
  if (seen.some((count) => count === 0)) return equal;
  const weights = seen.map((count, at) => 1 - robust[at]! / count);
  return weights.every((weight) => weight === 0) ? equal : weights;
}

/** Where a uniform number falls among cumulative weights. */
function drawn(weights: readonly number[], u: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let below = 0;
  const at = weights.findIndex((weight) => (below += weight) > u * total);
  return at < 0 ? weights.length - 1 : at;
}

const oneNorm = (balls: readonly Ball[], steps: number, counts: NormCounts): InnerOptimizer => ({
  produces: ['adversarial'],
  beyond: ['adversarial'],
  craft(batch, context) {
    const at = drawn(drawWeights(counts), context.random.next());
    const ball = balls[at]!;
    const found = trainingApgd(batch, context, { ball, steps });
    const norm = tf.fill([batch.labels.size], at, 'int32');
    return { points: { adversarial: found.best }, facts: { robust: tf.tensor1d([...found.robust]), norm } };
  },
});

/** Counts what an attack found: after the step, so that parts of a batch, wherever they are worked on, draw the same norm. */
function count(counts: NormCounts, { fact }: StepFindings): void {
  const robust = fact('robust').dataSync();
  fact('norm')
    .dataSync()
    .forEach((at, i) => {
      counts.seen[at]!++;
      counts.robust[at]! += robust[i]!;
    });
}

/** Extreme norms adversarial training: one norm per batch, drawn more often the less robust the model is in it. */
export const eAt = defineObjective({
  name: 'e-at',
  summary: 'Adversarial training in one norm per batch, drawn by how little robust the model has been in each.',
  cite: 'Croce and Hein, 2022, section 4 (ICML 2022); arXiv:2105.12508',
  options: {
    norms: ballsOption(['linf', 'l1']),
    steps: stepsOption(10),
    passes: passesOption(),
  },
  examine: ({ norms }, plan) => examineBalls(norms, plan),
  create({ norms: balls, steps, passes }) {
    const counts: NormCounts = { seen: balls.map(() => 0), robust: balls.map(() => 0) };
    const state: HookState = {
      save: () => ({ tensors: new Map(), values: counts }),
      restore: ({ values }) => void Object.assign(counts, structuredClone(values)),
    };
    return {
      points: oneNorm(balls, steps, counts),
      loss: { classification: crossEntropyAt('adversarial') },
      passes,
      afterStep: (findings) => count(counts, findings),
      state,
    };
  },
});
