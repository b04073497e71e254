import {
  crossEntropy,
  defineObjective,
  integer,
  kl,
  number,
  oneHotLabels,
  weight,
  type ObjectiveExtras,
  type RunPlan,
  type Views,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineFirstPart, examineStart } from './inner/examine.js';
import { classAccuracyRecord, type ClassAccuracyRecord } from './class-accuracies.js';
import { onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection, type InnerSettings } from './inner/settings.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder, passesOption } from './terms/passes-option.js';

interface Calibration {
  readonly radiusBase: number;
  readonly warmup: number;
  readonly cleanPass: boolean;
}

const calibrationOptions = (inner: Pick<InnerSettings, 'start' | 'mode'>) => ({
  radiusBase: number({ min: 0 })
    .default(0.5)
    .describe('lambda 1: a class has radiusBase + its last robust training accuracy radii of the threat model'),
  warmup: integer({ min: 1 }).default(10).describe('epochs with one radius for all, and one weight'),
  inner: innerSection(inner),
  cleanPass: z
    .boolean()
    .default(false)
    .describe(
      'a clean pass after each update that moves the running statistics, as the released code makes for its log',
    ),
});

const examineWarmup = (warmup: number, plan: RunPlan) =>
  examineFirstPart(
    { option: `warmup is ${warmup}`, epochs: warmup, meanwhile: 'all classes have one radius and one weight' },
    plan,
  );

/** What an example's class has in `[classes]`, `[batch]`; `without` where there is no label. */
const ofClass = (values: tf.Tensor1D, labels: tf.Tensor1D, without: number): tf.Tensor1D =>
  tf.tidy(() => {
    const rows = oneHotLabels(labels, values.size);
    const own = tf.sum(tf.mul(rows, values), 1);
    return tf.add(own, tf.mul(without, tf.sub(1, tf.sum(rows, 1)))) as tf.Tensor1D;
  });

/** Class-wise calibrated margins: radii by class, and the record that they follow. */
const calibrated = (
  { radiusBase, warmup, cleanPass }: Calibration,
  { record, classes }: { record: ClassAccuracyRecord; classes: number },
): Pick<ObjectiveExtras, 'radii' | 'afterStep' | 'afterEpoch' | 'passesAfter' | 'state' | 'dispose'> => ({
  radii({ labels }, { threat: { epsilon }, epoch }) {
    if (epoch < warmup) return tf.fill([labels.size], epsilon);
    return tf.tidy(() => {
      const radii = tf.mul(epsilon, tf.add(radiusBase, record.of(classes)));
      return ofClass(radii as tf.Tensor1D, labels, epsilon);
    });
  },
  afterStep: record.see,
  afterEpoch: record.endEpoch,
  ...(cleanPass && { passesAfter: ['natural'] }),
  state: record.state,
  dispose: record.dispose,
});

/** CFA on adversarial training: classes that are hard get smaller radii. The authors average with `averaging: fawa`. */
export const cfa = defineObjective({
  name: 'cfa',
  summary: 'Adversarial training with a radius for each class, calibrated by its robustness in the last epoch.',
  cite: 'Wei et al., 2023, Eq. 6 (CVPR 2023); arXiv:2303.14460',
  options: { ...calibrationOptions({ start: 'uniform', mode: 'train' }), passes: passesOption() },
  examine: ({ inner, warmup }, plan) => [...examineStart(inner), ...examineWarmup(warmup, plan)],
  create: ({ inner, passes, ...calibration }, { classNames }) => ({
    points: pgd(inner),
    loss: { classification: crossEntropyAt('adversarial') },
    passes,
    ...calibrated(calibration, { record: classAccuracyRecord(), classes: classNames.length }),
  }),
});

/** `b / (1 + b)` with the calibrated b of each example's class. */
const shareOfKl = (
  { batch, classes, epoch }: Views,
  {
    record,
    beta,
    weightBase,
    warmup,
  }: { record: ClassAccuracyRecord; beta: number; weightBase: number; warmup: number },
): tf.Tensor1D => {
  const plain = beta / (1 + beta);
  if (epoch < warmup) return tf.fill([batch.labels.size], plain);
  const scaled = tf.mul(beta, tf.add(weightBase, record.of(classes)));
  return ofClass(tf.div(scaled, tf.add(1, scaled)) as tf.Tensor1D, batch.labels, plain);
};

/** CFA on TRADES: each class has its own radius, and its own weight of the KL against the cross-entropy. */
export const cfaTrades = defineObjective({
  name: 'cfa-trades',
  summary:
    'TRADES with a radius and a weight of the KL for each class, calibrated by its robustness in the last epoch.',
  cite: 'Wei et al., 2023, Eq. 6 and 8 (CVPR 2023); arXiv:2303.14460',
  options: {
    beta: weight(6),
    weightBase: number({ min: 0 })
      .default(0.5)
      .describe('lambda 2: the KL of a class has weightBase + its last robust training accuracy times beta'),
    ...calibrationOptions({ start: 'gaussian', mode: 'eval' }),
    passes: passesInOrder(['natural', 'adversarial', 'natural']),
  },
  examine: ({ inner, warmup }, plan) => [...examineStart(inner, { fromNatural: true }), ...examineWarmup(warmup, plan)],
  create({ beta, weightBase, inner, passes, ...calibration }, { classNames }) {
    const record = classAccuracyRecord();
    const share = (views: Views) => shareOfKl(views, { record, beta, weightBase, warmup: calibration.warmup });
    return {
      points: pgd({ ...inner, goal: onDiscrepancyToNatural(kl) }),
      loss: {
        classification: (views) => tf.mul(tf.sub(1, share(views)), crossEntropy(views.z.natural, views.y)),
        regularizer: (views) => tf.mul(share(views), kl(views.z.natural, views.z.adversarial)),
      },
      passes,
      ...calibrated(calibration, { record, classes: classNames.length }),
    };
  },
});
