import {
  defineObjective,
  kl,
  logitsOf,
  logSoftmax,
  number,
  weighted,
  type Classifier,
  type InnerOptimizer,
  type PerExample,
} from '@bulwark/core';
import { contradiction } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { examineInner } from './inner/examine.js';
import { onDiscrepancyToTarget } from './inner/goals.js';
import { pgdPoint } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { modelOption, trainedModel } from './teachers.js';
import { passesInOrder } from './terms/passes-option.js';

/** The authors' constant inside the logarithm of the teacher; it shifts the value and nothing else. */
const shift = 1e-5;

/** x' climbs the KL from the teacher's output at x, which the terms read, too. */
const againstTeacher = (inner: InnerSettings, teacher: Classifier): InnerOptimizer => ({
  produces: ['adversarial'],
  craft(batch, context) {
    const target = logitsOf(teacher, batch.images);
    const goal = onDiscrepancyToTarget(kl, target);
    return {
      points: { adversarial: pgdPoint(batch, context, { ...inner, role: 'adversarial', goal }) },
      facts: { teacher: target },
    };
  },
});

/** `mean_c p_c(teacher) (log(p_c(teacher) + 1e-5) - log p_c)`: a KL to the teacher's soft labels, averaged over classes. */
export const softLabels =
  (role: 'natural' | 'adversarial', scale = 1): PerExample =>
  ({ z, fact }) => {
    const target = tf.exp(logSoftmax(fact('teacher') as tf.Tensor2D));
    const gap = tf.sub(tf.log(tf.add(target, shift)), logSoftmax(z[role]));
    return tf.mul(scale, tf.mean(tf.mul(target, gap), 1)) as tf.Tensor1D;
  };

/** Robust soft label adversarial distillation: the teacher's output at x is the target everywhere, no hard label anywhere. */
export const rslad = defineObjective({
  name: 'rslad',
  summary:
    "Distillation by the robust teacher's soft labels, at the image, at the adversarial point and in the attack.",
  cite: 'Zi et al., 2021, Eq. 5; arXiv:2108.07969',
  options: {
    teacher: modelOption('the teacher with its weights, e.g. { use: resnet18, weights: teacher.safetensors }'),
    adversarialWeight: number({ min: 0 })
      .default(5 / 6)
      .describe('weight at the adversarial point'),
    naturalWeight: number({ min: 0 })
      .default(1 / 6)
      .describe('weight at the image'),
    scale: number({ above: 0 }).default(1).describe("factor on both; 10 in the authors' script for 100 classes"),
    inner: innerSection({ start: 'gaussian', mode: 'eval' }),
    passes: passesInOrder(['adversarial', 'natural']),
  },
  examine: ({ adversarialWeight, naturalWeight, ...options }) => [
    ...(adversarialWeight === 0 && naturalWeight === 0
      ? [
          contradiction(
            'adversarialWeight and naturalWeight are 0: there is nothing to learn',
            'set one of them above 0',
          ),
        ]
      : []),
    ...examineInner()(options),
  ],
  create({ teacher: spec, adversarialWeight, naturalWeight, scale, inner, passes }, services) {
    const teacher = trainedModel({ objective: 'rslad', part: 'teacher' }, spec, services);
    return {
      points: againstTeacher(inner, teacher),
      loss: {
        adversarial: weighted(adversarialWeight, softLabels('adversarial', scale)),
        natural: weighted(naturalWeight, softLabels('natural', scale)),
      },
      passes,
      dispose: () => teacher.dispose(),
    };
  },
});
