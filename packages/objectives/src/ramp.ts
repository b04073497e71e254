import {
  BulwarkError,
  defineObjective,
  kl,
  normNames,
  number,
  weighted,
  withoutGradient,
  type Finding,
  type InnerOptimizer,
  type NormName,
  type PerExample,
} from '@bulwark/core';
import { contradiction } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineBalls } from './inner/examine.js';
import { trainingApgd } from './norms/apgd.js';
import { ballsOption, stepsOption, type Ball } from './norms/options.js';
import { findings, highestLoss, pointsAt } from './norms/worst.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

/** Points in the source and in the target norm, and for each example the worse of the two; of equal ones the target's. */
const sourceAndTarget = (source: Ball, target: Ball, steps: number): InnerOptimizer => ({
  produces: ['target', 'source', 'adversarial'],
  beyond: ['target', 'source', 'adversarial'],
  craft(batch, context) {
    const attack = (ball: Ball) => trainingApgd(batch, context, { ball, steps });
    const [atSource, atTarget] = [attack(source), attack(target)];
    const found = [atTarget, atSource];
    const chosen = highestLoss(found);
    return {
      points: { source: atSource.best, target: atTarget.best, adversarial: pointsAt(found, chosen) },
      facts: findings([target.norm, source.norm], found, chosen),
    };
  },
});

/** `KL(p(source) || p(target))`, its mean over the examples that the model gets right at the source point; 0 if there is none. */
const pairing: PerExample = ({ z, batch }) => {
  const { labels } = batch;
  const right = withoutGradient((source) => {
    const flags = tf.cast(tf.equal(tf.argMax(source, 1), labels), 'float32');
    return tf.mul(flags, tf.divNoNan(labels.size, tf.sum(flags)));
  }, z['source']!);
  return tf.mul(right, kl(z['source']!, z['target']!)) as tf.Tensor1D;
};

const missing = (balls: readonly Ball[], option: string, name: NormName): Finding[] =>
  balls.some(({ norm }) => norm === name)
    ? []
    : [
        contradiction(
          `${option} is ${name}, which is not among the norms`,
          `add { norm: ${name}, epsilon: ... } to norms`,
        ),
      ];

/** Robustness against several norms by logit pairing: the outputs in two norms are tied where the first is withstood. */
export const ramp = defineObjective({
  name: 'ramp',
  summary: 'Cross-entropy at the worse of two norms, with the outputs of both tied where the first is withstood.',
  cite: 'Jiang and Singh, 2024, Eq. 3 (NeurIPS 2024); arXiv:2402.06827',
  options: {
    norms: ballsOption(['linf', 'l1', 'l2']),
    source: z.enum(normNames).default('linf').describe('the norm whose withstood examples are tied'),
    target: z.enum(normNames).default('l1').describe('the norm that they are tied to'),
    lambda: number({ min: 0 }).default(5).describe('weight of the pairing; 1.5 for fine-tuning'),
    steps: stepsOption(10),
    passes: passesOption(),
  },
  examine: ({ norms: balls, source, target }, plan) => [
    ...(source === target
      ? [
          contradiction(
            `source and target are ${source}: there is nothing to tie`,
            'choose another norm for one of them',
          ),
        ]
      : []),
    ...missing(balls, 'source', source),
    ...missing(balls, 'target', target),
    ...examineBalls(balls, plan),
  ],
  create({ norms: balls, source, target, lambda, steps, passes }) {
    const ballOf = (option: string, name: NormName): Ball => {
      const [wrong] = missing(balls, option, name);
      if (wrong) throw new BulwarkError('CONFIG_INVALID', `ramp: ${wrong.text}`, { hint: wrong.hint });
      return balls.find(({ norm }) => norm === name)!;
    };
    return {
      points: sourceAndTarget(ballOf('source', source), ballOf('target', target), steps),
      loss: { classification: crossEntropyAt('adversarial'), pairing: weighted(lambda, pairing) },
      passes,
    };
  },
});
