import { defineObjective, weighted, type InnerOptimizer } from '@bulwark/core';
import { examineBalls } from './inner/examine.js';
import { trainingApgd } from './norms/apgd.js';
import { ballsOption, stepsOption, type Ball } from './norms/options.js';
import { findings } from './norms/worst.js';
import { crossEntropyAt } from './terms/cross-entropy.js';

const inEach = (balls: readonly Ball[], steps: number): InnerOptimizer => {
  const names = balls.map(({ norm }) => norm);
  return {
    produces: names,
    beyond: names,
    craft(batch, context) {
      const found = balls.map((ball) => trainingApgd(batch, context, { ball, steps }));
      const points = Object.fromEntries(found.map(({ best }, at) => [names[at]!, best]));
      return { points, facts: findings(names, found) };
    },
  };
};

/** AVG: the mean over the norms of cross-entropy at the adversarial point of each. */
export const avg = defineObjective({
  name: 'avg',
  summary: 'Adversarial training in several norms: the mean of cross-entropy at the adversarial point of each.',
  cite: 'Tramer and Boneh, 2019, Eq. 4; arXiv:1904.13000',
  options: { norms: ballsOption(['linf', 'l1', 'l2']), steps: stepsOption(10) },
  examine: ({ norms }, plan) => examineBalls(norms, plan),
  create: ({ norms: balls, steps }) => ({
    points: inEach(balls, steps),
    loss: Object.fromEntries(balls.map(({ norm }) => [norm, weighted(1 / balls.length, crossEntropyAt(norm))])),
  }),
});
