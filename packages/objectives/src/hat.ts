import {
  crossEntropy,
  defineObjective,
  kl,
  logitsOf,
  number,
  weight,
  weighted,
  type Classifier,
  type InnerOptimizer,
  type PerExample,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineInner } from './inner/examine.js';
import { onCrossEntropy, onDiscrepancyToNatural } from './inner/goals.js';
import { pgdPoint, type PgdOptions } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { modelOption, trainedModel } from './teachers.js';
import { between } from './terms/between.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';
import { smoothingOption } from './terms/smoothing.js';

/** x' of an attack; the helper lies on the same line, `x + stretch (x' - x)`, and gets the standard model's class at x'. */
const helped = (standard: Classifier, attack: PgdOptions, stretch: number): InnerOptimizer => ({
  produces: ['adversarial', 'helper'],
  beyond: ['helper'],
  craft(batch, context) {
    const adversarial = pgdPoint(batch, context, attack);
    const helper = tf.tidy(() =>
      tf.add(batch.images, tf.mul(stretch, tf.sub(adversarial, batch.images))),
    ) as tf.Tensor4D;
    const label = tf.tidy(() => tf.argMax(logitsOf(standard, adversarial), 1));
    return { points: { adversarial, helper }, facts: { 'helper-label': label } };
  },
});

/** Cross-entropy with the standard model's class, which images without a label have, too. */
const atHelper: PerExample = ({ z, fact }) => crossEntropy(z['helper']!, fact('helper-label') as tf.Tensor1D);

/** Helper-based adversarial training: `CE(z(x), y) + beta KL(x, x') + gamma CE(z(x + stretch r), standard(x'))` with r = x' - x. */
export const hat = defineObjective({
  name: 'hat',
  summary: 'TRADES with helper examples, twice as far away, that a standard model labels.',
  cite: 'Rade and Moosavi-Dezfooli, 2022, Eq. 7 (ICLR 2022, Azh9QBQ4tR7)',
  options: {
    helper: modelOption('the standard model with its weights, e.g. { use: small-cnn, weights: natural.safetensors }'),
    beta: weight(2.5),
    gamma: weight(0.5, 'the helper term'),
    stretch: number({ min: 1 })
      .default(2)
      .describe('distance of the helper from the image, in lengths of the perturbation'),
    smoothing: smoothingOption(),
    robustLoss: z
      .enum(['kl', 'cross-entropy'])
      .default('kl')
      .describe('what the attack climbs and the regularizer is: the KL, or cross-entropy at the adversarial point'),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
    passes: passesOption(),
  },
  examine: examineInner(({ robustLoss }) => robustLoss === 'kl'),
  create({ helper, beta, gamma, stretch, smoothing, robustLoss, inner, passes }, services) {
    const standard = trainedModel({ objective: 'hat', part: 'helper' }, helper, services);
    const goal = robustLoss === 'kl' ? onDiscrepancyToNatural(kl) : onCrossEntropy;
    const robust = robustLoss === 'kl' ? between('natural', 'adversarial', kl) : crossEntropyAt('adversarial');
    return {
      points: helped(standard, { ...inner, role: 'adversarial', goal }, stretch),
      loss: {
        classification: crossEntropyAt('natural', smoothing),
        regularizer: weighted(beta, robust),
        helper: weighted(gamma, atHelper),
      },
      passes,
      dispose: () => standard.dispose(),
    };
  },
});
