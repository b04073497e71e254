import {
  logitsOf,
  BulwarkError,
  crossEntropy,
  defineObjective,
  discrepancy,
  number,
  plugin,
  type Classifier,
  type InnerOptimizer,
  type Term,
} from '@bulwark/core';
import {
  assemble,
  between,
  crossEntropyAt,
  innerSection,
  onDiscrepancyToNatural,
  pgdPoint,
  type InnerSettings,
} from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';

const kl = discrepancy('kl');

/** x' climbs the KL; the helper lies on the same line, `x + stretch (x' - x)`, and gets the standard model's class at x'. */
const helped = (standard: Classifier, inner: InnerSettings, stretch: number): InnerOptimizer => ({
  produces: ['adversarial', 'helper'],
  beyond: ['helper'],
  craft(batch, context) {
    const adversarial = pgdPoint(batch, context, { ...inner, role: 'adversarial', goal: onDiscrepancyToNatural(kl) });
    const helper = tf.tidy(() =>
      tf.add(batch.images, tf.mul(stretch, tf.sub(adversarial, batch.images))),
    ) as tf.Tensor4D;
    const label = tf.tidy(() => tf.argMax(logitsOf(standard, adversarial), 1));
    return { points: { adversarial, helper }, facts: { 'helper-label': label } };
  },
});

/** Cross-entropy with the standard model's class, which images without a label have, too. */
const helperTerm = (gamma: number): Term => ({
  name: 'helper',
  weight: gamma,
  over: 'all',
  needs: ['helper'],
  values: ({ logits, fact }) => crossEntropy(logits('helper'), fact('helper-label') as tf.Tensor1D),
});

/** Helper-based adversarial training: `CE(z(x), y) + beta KL(x, x') + gamma CE(z(x + 2r), standard(x'))` with r = x' - x. */
export const hat = defineObjective({
  name: 'hat',
  summary: 'TRADES with helper examples, twice as far away, that a standard model labels.',
  cite: 'Rade and Moosavi-Dezfooli, 2022, Eq. 7 (ICLR 2022, Azh9QBQ4tR7)',
  options: {
    helper: plugin('model').describe(
      'the standard model with its weights, e.g. { use: small-cnn, weights: natural.safetensors }',
    ),
    beta: number({ min: 0 }).default(2.5).describe('weight of the KL'),
    gamma: number({ min: 0 }).default(0.5).describe('weight of the helper term'),
    stretch: number({ min: 1 })
      .default(2)
      .describe('distance of the helper from the image, in lengths of the perturbation'),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
  },
  create({ helper, beta, gamma, stretch, inner }, { make }) {
    const standard = make('model', helper);
    if (standard instanceof Promise)
      throw new BulwarkError('MODEL_INVALID', `hat: the helper ${helper.use} is read asynchronously`, {
        cure: 'use an architecture with weights',
      });
    const objective = assemble({
      inner: helped(standard, inner, stretch),
      classification: crossEntropyAt('natural'),
      regularizer: between('natural', 'adversarial', kl),
      beta,
      passes: ['natural', 'adversarial', 'helper'],
      extra: [helperTerm(gamma)],
    });
    return { ...objective, dispose: () => standard.dispose() };
  },
});
