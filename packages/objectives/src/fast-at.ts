import { clipToPixelRange, defineObjective, type InnerOptimizer, type StepFindings } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineStep } from './inner/examine.js';
import { keptPerturbation, type KeptPerturbation } from './inner/kept-perturbation.js';
import { randomIn, singleStep, singleStepOptions, type SingleStep } from './inner/single-step.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

type Options = Omit<SingleStep, 'start'> & { readonly init: 'random' | 'zero' | 'previous' };

const fgsm = ({ init, ...options }: Options, kept: KeptPerturbation): InnerOptimizer => ({
  produces: ['adversarial'],
  craft(batch, context) {
    const { images } = batch;
    const { threat, offset = 0 } = context;
    const starts = {
      random: () => clipToPixelRange(tf.add(images, randomIn(context, images.shape))),
      zero: () => images,
      // as the authors leave it: not clipped to the new images
      previous: () => tf.add(images, kept.rows(images.shape, offset)) as tf.Tensor4D,
    };
    const adversarial = tf.tidy(() => {
      const { point } = singleStep(batch, context, { ...options, start: starts[init]() });
      return threat.norm.project(point, { origin: images, epsilon: threat.epsilon });
    });
    if (init !== 'previous') return { points: { adversarial } };
    return { points: { adversarial }, facts: { delta: tf.tidy(() => tf.sub(adversarial, images)) } };
  },
});

/** FGSM with a random start: one step of 1.25 radii from a random point of the ball, projected; `CE(z(x'), y)`. */
export const fastAt = defineObjective({
  name: 'fast-at',
  summary: 'Adversarial training with one step from a random start (FGSM-RS).',
  cite: 'Wong et al., 2020, Algorithm 3; arXiv:2001.03994',
  options: {
    ...singleStepOptions({ stepLength: 1.25 }),
    init: z
      .enum(['random', 'zero', 'previous'])
      .default('random')
      .describe('where the step starts: a random point of the ball, the image, or where the last batch ended'),
    passes: passesOption(),
  },
  examine: examineStep,
  create({ passes, ...options }) {
    const kept = keptPerturbation();
    const form = { points: fgsm(options, kept), loss: { classification: crossEntropyAt('adversarial') }, passes };
    if (options.init !== 'previous') return form;
    const keep = ({ fact }: StepFindings) => kept.keep(fact('delta') as tf.Tensor4D);
    return { ...form, afterStep: keep, state: kept.state, dispose: kept.dispose };
  },
});
