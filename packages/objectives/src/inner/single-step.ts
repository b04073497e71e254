import { inputGradient, logitsOf, number, type Batch, type CraftContext, type Mode } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { onCrossEntropy } from './goals.js';

/** The options that single-step attacks share; their step is measured in radii, so that it follows epsilon. */
export const singleStepOptions = (defaults: { stepLength: number }) => ({
  stepLength: number({ min: 0 })
    .default(defaults.stepLength)
    .describe('length of the step, in radii of the threat model'),
  mode: z
    .enum(['eval', 'batch', 'train'])
    .default('train')
    .describe("BatchNorm in the attack; train, as in the authors' code, also updates the running statistics"),
});

/** One step of steepest ascent on cross-entropy. */
export interface SingleStep {
  /** Where the gradient is taken, `[batch, h, w, c]`. */
  readonly start: tf.Tensor4D;
  readonly stepLength: number;
  readonly mode: Mode;
}

/**
 * The point a step away from the start (Goodfellow et al., 2015, section 4; arXiv:1412.6572), not projected, and the gradient of the
 * summed cross-entropy that led there. To be called inside a `tf.tidy`.
 */
export function singleStep(
  batch: Batch,
  context: CraftContext,
  { start, stepLength, mode }: SingleStep,
): { point: tf.Tensor4D; gradient: tf.Tensor4D } {
  const { model, threat, observe } = context;
  const loss = onCrossEntropy(batch, (points) => logitsOf(model, points, mode), model.classes);
  const { gradient, losses } = inputGradient(model, start, { loss, mode });
  observe?.({ step: 0, points: { adversarial: start }, loss: losses });
  const step = tf.mul(threat.norm.normalize(gradient), stepLength * threat.epsilon);
  return { point: tf.add(start, step) as tf.Tensor4D, gradient };
}

/** A random perturbation of the ball of `radii` radii, drawn even where that is a point. */
export const randomIn = ({ threat, random }: CraftContext, shape: readonly number[], radii = 1): tf.Tensor4D =>
  threat.norm.randomStart(random, { shape, epsilon: radii * threat.epsilon });
