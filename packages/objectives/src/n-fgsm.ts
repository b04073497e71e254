import { clipToPixelRange, defineObjective, number, type PointMaker } from '@bulwark/core';
import { doubt } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { examineStep } from './inner/examine.js';
import { randomIn, singleStep, singleStepOptions, type SingleStep } from './inner/single-step.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

type Options = Omit<SingleStep, 'start'> & { readonly noise: number; readonly clip?: number };

const noisyStep =
  ({ noise, clip, ...options }: Options): PointMaker =>
  (batch, context) => {
    const { images } = batch;
    const { threat } = context;
    const start =
      noise === 0 ? images : clipToPixelRange(tf.add(images, randomIn(context, images.shape, noise)) as tf.Tensor4D);
    const point = clipToPixelRange(singleStep(batch, context, { ...options, start }).point);
    return clip === undefined ? point : threat.norm.project(point, { origin: images, epsilon: clip * threat.epsilon });
  };

/** N-FGSM: one step of a radius from strong noise around the image, not projected onto the ball; `CE(z(x'), y)`. */
export const nFgsm = defineObjective({
  name: 'n-fgsm',
  summary: 'Adversarial training with one step from strong noise, without projection onto the ball.',
  cite: 'de Jorge et al., 2022, Algorithm 1; arXiv:2202.01181',
  options: {
    ...singleStepOptions({ stepLength: 1 }),
    noise: number({ min: 0 }).default(2).describe('radius of the noise, in radii of the threat model'),
    clip: number({ above: 0 })
      .optional()
      .describe('project onto the ball of this many radii; default: no projection, points reach 1 + noise radii'),
    passes: passesOption(),
  },
  examine: ({ stepLength, noise, clip }) => [
    ...examineStep({ stepLength }),
    ...(clip !== undefined && clip >= stepLength + noise
      ? [
          doubt(
            `clip is ${clip} and has no effect: noise ${noise} and stepLength ${stepLength} reach ${stepLength + noise} radii`,
            'set clip lower, or leave it out',
          ),
        ]
      : []),
  ],
  create: ({ passes, ...options }) => ({
    points: { adversarial: noisyStep(options) },
    ...(!(options.clip !== undefined && options.clip <= 1) && { beyond: ['adversarial'] }),
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
  }),
});
