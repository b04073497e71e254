import { defineObjective, type InnerOptimizer } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { examineBalls } from './inner/examine.js';
import { trainingApgd } from './norms/apgd.js';
import { ballsOption, stepsOption, type Ball } from './norms/options.js';
import { findings, highestLoss, pointsAt } from './norms/worst.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

const worstOf = (balls: readonly Ball[], steps: number): InnerOptimizer => ({
  produces: ['adversarial'],
  beyond: ['adversarial'],
  craft(batch, context) {
    const found = balls.map((ball) => trainingApgd(batch, context, { ball, steps }));
    const chosen = highestLoss(found);
    const adversarial = pointsAt(found, chosen);
    tf.dispose(found.map(({ best }) => best));
    const names = balls.map(({ norm }) => norm);
    return { points: { adversarial }, facts: findings(names, found, chosen) };
  },
});

/** MAX: for each example the point of the norm in which the attack found the highest loss. */
export const max = defineObjective({
  name: 'max',
  summary: 'Adversarial training in several norms: cross-entropy at the worst of their adversarial points.',
  cite: 'Tramer and Boneh, 2019, Eq. 3; arXiv:1904.13000',
  options: {
    norms: ballsOption(['linf', 'l1', 'l2']),
    steps: stepsOption(10),
    passes: passesOption(),
  },
  examine: ({ norms }, plan) => examineBalls(norms, plan),
  create: ({ norms, steps, passes }) => ({
    points: worstOf(norms, steps),
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
  }),
});
