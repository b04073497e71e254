import {
  clipToPixelRange,
  crossEntropy,
  defineObjective,
  number,
  type InnerOptimizer,
  type SecondOrderTerm,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineStep } from './inner/examine.js';
import { randomIn, singleStep, singleStepOptions, type SingleStep } from './inner/single-step.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder } from './terms/passes-option.js';

type Options = Omit<SingleStep, 'start'> & { readonly init: 'zero' | 'random'; readonly tieGradient: number };

/** Derivative of clipping to [0, 1]: 1 inside, 0 outside, `ties` exactly at 0 and 1. */
const clipDerivative = (points: tf.Tensor4D, ties: number): tf.Tensor4D => {
  const mask = (condition: tf.Tensor) => tf.cast(condition, 'float32');
  const inside = mask(tf.logicalAnd(tf.greater(points, 0), tf.less(points, 1)));
  const at = mask(tf.logicalOr(tf.equal(points, 0), tf.equal(points, 1)));
  return tf.add(inside, tf.mul(ties, at)) as tf.Tensor4D;
};

/** FGSM whose gradient is kept, and a random point of the ball at which the gradient should be the same. */
const stepAndElsewhere = ({ init, tieGradient, ...options }: Options): InnerOptimizer => ({
  produces: ['adversarial', 'elsewhere'],
  beyond: ['elsewhere'],
  craft(batch, context) {
    const { images } = batch;
    const { threat } = context;
    const { gradient, ...points } = tf.tidy(() => {
      const start = init === 'zero' ? images : (tf.add(images, randomIn(context, images.shape)) as tf.Tensor4D);
      const found = singleStep(batch, context, { ...options, start: clipToPixelRange(start) });
      // the authors differentiate through the clip: a pixel outside has no gradient, and so makes no step
      const own = tf.mul(found.gradient, clipDerivative(start, tieGradient)) as tf.Tensor4D;
      const step = tf.mul(threat.norm.normalize(own), options.stepLength * threat.epsilon);
      const adversarial = threat.norm.project(tf.add(start, step), { origin: images, epsilon: threat.epsilon });
      return { adversarial, elsewhere: tf.add(images, randomIn(context, images.shape)) as tf.Tensor4D, gradient: own };
    });
    return { points, facts: { gradient } };
  },
});

/** `1 - cos(g1, g2)` per example, g1 a constant, over the labelled examples with a gradient on both sides. */
export const alignmentTerm = (weight: number): SecondOrderTerm => ({
  name: 'alignment',
  weight,
  values({ batch, y, logits, point, fact }) {
    const flat = (x: tf.Tensor) => tf.reshape(x, [x.shape[0]!, -1]);
    const first = flat(fact('gradient'));
    const loss = (x: tf.Tensor) => tf.sum(crossEntropy(logits(x as tf.Tensor4D), y));
    const second = flat(tf.grad(loss)(point('elsewhere')));
    const squared = (x: tf.Tensor) => tf.sum(tf.square(x), 1);
    const [a, b] = [squared(first), squared(second)];
    // 0 and 1 as constants: where a gradient is 0 the cosine must not be differentiated
    const counts = tf.mul(tf.cast(tf.greaterEqual(batch.labels, 0), 'float32'), tf.mul(tf.step(a), tf.step(b)));
    const safe = (x: tf.Tensor) => tf.sqrt(tf.add(x, tf.sub(1, tf.step(x))));
    const cosine = tf.div(tf.sum(tf.mul(first, second), 1), tf.mul(safe(a), safe(b)));
    const share = tf.divNoNan(batch.labels.size, tf.sum(counts));
    return tf.mul(tf.mul(counts, share), tf.sub(1, cosine)) as tf.Tensor1D;
  },
});

/** Gradient alignment: FGSM with a penalty where the input gradient turns inside the ball. Differentiates a gradient. */
export const gradAlign = defineObjective({
  name: 'grad-align',
  summary: 'Single-step training with a penalty on input gradients that differ inside the ball.',
  cite: 'Andriushchenko and Flammarion, 2020, Eq. 6; arXiv:2007.02617',
  options: {
    ...singleStepOptions({ stepLength: 1.25 }),
    init: z
      .enum(['zero', 'random'])
      .default('zero')
      .describe('where the step starts, and with it the first of the two gradients: the image, or a random point'),
    lambda: number({ min: 0 })
      .default(0.2)
      .describe('weight of the penalty; the authors take 0.03 to 2, more for larger radii'),
    tieGradient: number({ min: 0, max: 1 })
      .default(1)
      .describe("derivative of clipping at pixels that are exactly 0 or 1; 0.5 is the authors' code"),
    passes: passesInOrder(['adversarial', 'elsewhere']),
  },
  examine: examineStep,
  create: ({ lambda, passes, ...options }) => ({
    points: stepAndElsewhere(options),
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
    secondOrder: [alignmentTerm(lambda)],
  }),
});
