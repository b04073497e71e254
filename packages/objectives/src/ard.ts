import {
  defineObjective,
  kl,
  logitsOf,
  number,
  weighted,
  type Classifier,
  type Condition,
  type InnerOptimizer,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineInner } from './inner/examine.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { modelOption, trainedModel } from './teachers.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder } from './terms/passes-option.js';

/** An attack, and what the teacher says of the images. */
export const withTeacher = (inner: InnerOptimizer, teacher: Classifier): InnerOptimizer => ({
  ...inner,
  craft(batch, context) {
    const crafted = inner.craft(batch, context);
    return { ...crafted, facts: { ...crafted.facts, teacher: logitsOf(teacher, batch.images) } };
  },
});

/** Options of the distillation. */
const distills: Condition = {
  words: 'distillWeight above 0',
  holds: ({ distillWeight }) => distillWeight !== 0,
};

/** Adversarially robust distillation: the student's output at x' follows the teacher's at x. */
export const ard = defineObjective({
  name: 'ard',
  summary: 'Distillation of a robust teacher: its softened output at the image is the target at the adversarial point.',
  cite: 'Goldblum et al., 2020, Eq. 4; arXiv:1905.09747',
  options: {
    teacher: modelOption('the teacher with its weights, e.g. { use: resnet18, weights: teacher.safetensors }'),
    distillWeight: number({ min: 0, max: 1 })
      .default(1)
      .describe('share of the distillation; the rest is cross-entropy at the image'),
    temperature: onlyWith(
      number({ above: 0 }).default(30).describe('divides the logits of both sides in the distillation'),
      distills,
    ),
    reduction: onlyWith(
      z
        .enum(['class-mean', 'sum'])
        .default('class-mean')
        .describe("the KL divided by the number of classes, as in the authors' code, or not, as in the paper"),
      distills,
    ),
    inner: innerSection({ start: 'unclipped-uniform', mode: 'train' }),
    passes: passesInOrder(['adversarial', 'natural']),
  },
  examine: examineInner(),
  create({ teacher: spec, distillWeight, temperature, reduction, inner, passes }, services) {
    const teacher = trainedModel({ objective: 'ard', part: 'teacher' }, spec, services);
    const soft = (z: tf.Tensor) => tf.div(z, temperature) as tf.Tensor2D;
    return {
      points: withTeacher(pgd(inner), teacher),
      loss: {
        classification: weighted(1 - distillWeight, crossEntropyAt('natural')),
        distillation: weighted(distillWeight * temperature ** 2, ({ z, fact, classes }) => {
          const divergence = kl(soft(fact('teacher')), soft(z.adversarial));
          return reduction === 'sum' ? divergence : (tf.div(divergence, classes) as tf.Tensor1D);
        }),
      },
      passes,
      dispose: () => teacher.dispose(),
    };
  },
});
