import {
  crossEntropy,
  defineObjective,
  integer,
  number,
  type InnerOptimizer,
  weighted,
  type ObjectiveForm,
  type PassText,
  type PerExample,
  type WeightedTerm,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineStep } from './inner/examine.js';
import { randomIn, singleStep, singleStepOptions, type SingleStep } from './inner/single-step.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder } from './terms/passes-option.js';

/** Two random points of the ball and one on the line between them, normalised together. */
const triplet = ['linear-a', 'linear-b', 'linear-c'] as const;

/** Options of ELLE and ELLE-A. */
export interface ElleOptions extends Omit<SingleStep, 'start'> {
  readonly noise: number;
  readonly clamp: boolean;
  readonly updates: number;
  readonly passes: readonly PassText[];
}

export const elleOptions = {
  ...singleStepOptions({ stepLength: 1 }),
  noise: number({ min: 0 })
    .default(0)
    .describe('radius of the noise before the step, in radii of the threat model: 2 for N-FGSM, 0 for FGSM'),
  clamp: onlyWith(z.boolean().default(false).describe('project onto the ball after the step'), {
    words: 'noise and stepLength that leave the ball together',
    holds: ({ noise, stepLength }) => (noise as number) + (stepLength as number) > 1,
  }),
  updates: integer({ min: 1 })
    .default(1)
    .describe("updates with the gradients of one step; the authors' released loop makes 2 by mistake"),
  passes: passesInOrder(['adversarial', triplet.join('+')]),
};

/** Draws: the start (also where noise is 0), one draw for a and b, one number per image. Nothing is clipped to [0, 1]. */
const stepAndTriplet = ({ noise, clamp, ...options }: Omit<ElleOptions, 'passes' | 'updates'>): InnerOptimizer => ({
  produces: ['adversarial', ...triplet],
  beyond: ['adversarial', ...triplet],
  craft(batch, context) {
    const { images } = batch;
    const { threat, random } = context;
    const [count, ...rest] = images.shape;
    const { mix, ...points } = tf.tidy(() => {
      const start = tf.add(images, randomIn(context, images.shape, noise)) as tf.Tensor4D;
      const { point } = singleStep(batch, context, { ...options, start });
      const away = tf.sub(point, images) as tf.Tensor4D;
      const scale = tf.minimum(1, tf.divNoNan(threat.epsilon, threat.norm.measure(away)));
      const clamped = () =>
        threat.norm.perPixel
          ? tf.clipByValue(away, -threat.epsilon, threat.epsilon)
          : tf.mul(away, tf.reshape(scale, [count, 1, 1, 1]));
      const adversarial = clamp ? tf.add(images, clamped()) : point;
      const [a, b] = tf.split(randomIn(context, [2 * count, ...rest]), 2).map((noisy) => tf.add(images, noisy));
      const v = random.uniform<tf.Rank.R4>([count, 1, 1, 1]);
      const c = tf.add(tf.mul(tf.sub(1, v), a!), tf.mul(v, b!));
      return { adversarial, 'linear-a': a!, 'linear-b': b!, 'linear-c': c, mix: v };
    });
    return { points: points as Record<string, tf.Tensor4D>, facts: { mix } };
  },
});

/**
 * `(l(c) - (1 - v) l(a) - v l(b))^2` per example: how far the loss is from linear on the way from a to b. Gradient flows through all
 * three; 0 where there is no label.
 */
export const linearity: PerExample = ({ z, y, fact }) => {
  const v = tf.reshape(fact('mix'), [-1]);
  const [a, b, c] = triplet.map((role) => crossEntropy(z[role]!, y)) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return tf.square(tf.sub(tf.sub(c, tf.mul(tf.sub(1, v), a)), tf.mul(v, b))) as tf.Tensor1D;
};

/** `CE(z(x'), y) + lambda E_lin`. */
export const createElle = (
  { passes, updates, ...options }: ElleOptions,
  lambda: WeightedTerm['weight'],
): ObjectiveForm => ({
  points: stepAndTriplet(options),
  loss: { classification: crossEntropyAt('adversarial'), linearity: weighted(lambda, linearity) },
  passes,
  updates,
});

/** Efficient local linearity regularization: single-step training that penalises a loss which is not linear around the image. */
export const elle = defineObjective({
  name: 'elle',
  summary: 'Single-step training with a penalty on how far the loss is from linear inside the ball.',
  cite: 'Abad Rocamora et al., 2024, section 4 (ICLR 2024); arXiv:2401.11618',
  options: {
    lambda: number({ min: 0 }).default(1000).describe('weight of the penalty; the authors take 1000 to 10000'),
    ...elleOptions,
  },
  examine: examineStep,
  create: ({ lambda, ...options }) => createElle(options, lambda),
});
