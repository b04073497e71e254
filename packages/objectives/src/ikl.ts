import {
  crossEntropy,
  defineObjective,
  integer,
  logSoftmax,
  number,
  oneHotLabels,
  pixelLength,
  stopGradient,
  weight,
  weighted,
  type HookState,
  type PointMaker,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineRadii, examineStart } from './inner/examine.js';
import { heldTensors } from './held-tensors.js';
import { pgdPoint } from './inner/pgd.js';
import { startNames, type StartName } from './inner/settings.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesInOrder } from './terms/passes-option.js';

/** `-sum_c p_c(natural) log p_c(adversarial)`, the natural side a constant: what trains of the KL, without the rest. */
export const softCrossEntropy = (natural: tf.Tensor2D, adversarial: tf.Tensor2D): tf.Tensor1D =>
  crossEntropy(adversarial, stopGradient(tf.exp(logSoftmax(natural)) as tf.Tensor2D));

/**
 * `1/4 sum_jk u_j u_k (D_jk(natural) - D_jk(adversarial))^2` with `D_jk = z_j - z_k`, as a weighted variance of
 * d = z_natural - z_adversarial, which loses no digits where logits are large: `1/2 sum u sum u (d - mean_u d)^2`. Gradient flows
 * through both sides.
 * @param u weights of the classes for each example, `[batch, classes]`
 */
export function weightedSquares(natural: tf.Tensor2D, adversarial: tf.Tensor2D, u: tf.Tensor2D): tf.Tensor1D {
  const d = tf.sub(natural, adversarial);
  const total = tf.sum(u, 1, true);
  // an example without a label has no weights; the gradient of divNoNan would be NaN there
  const mean = tf.div(tf.sum(tf.mul(u, d), 1, true), tf.maximum(total, 1e-30));
  const away = tf.sub(d, mean);
  return tf.mul(0.5, tf.sum(tf.mul(tf.mul(total, u), tf.square(away)), 1)) as tf.Tensor1D;
}

/** Mean outputs of each class, which the squares are weighted by. */
export interface ClassWeights {
  /** `[classes, classes]`: row y has the weights of images of class y; 1 / classes at first. */
  table(classes: number): tf.Tensor2D;
  /** Adds the outputs of a batch to those of the epoch. */
  add(y: tf.Tensor2D, logits: tf.Tensor2D): void;
  /** Makes the mean outputs of the epoch the weights of the next; a class that did not occur keeps its own. */
  endEpoch(): void;
  readonly state: HookState;
  /** Frees the weights. */
  dispose(): void;
}

/** Makes class weights. Outputs are softened by `temperature`; `momentum` is the share of the new epoch. */
export function classWeights({ temperature, momentum }: { temperature: number; momentum: number }): ClassWeights {
  const held = heldTensors();
  const table = (classes: number) =>
    held.of('weights', () => tf.fill([classes, classes], 1 / classes)) as tf.Variable<tf.Rank.R2>;
  const sums = (classes: number) => held.of('sums', () => tf.zeros([classes, classes]));
  return {
    table,
    add(y, logits) {
      tf.tidy(() => {
        const soft = tf.exp(logSoftmax(tf.div(logits, temperature) as tf.Tensor2D)) as tf.Tensor2D;
        const sum = sums(logits.shape[1]);
        sum.assign(tf.add(sum, tf.matMul(y, soft, true)));
      });
    },
    endEpoch() {
      const sum = held.get('sums');
      if (!sum) return;
      tf.tidy(() => {
        const weights = table(sum.shape[0]!);
        const rows = tf.sum(sum, 1, true);
        const means = tf.divNoNan(sum, rows);
        const next = tf.add(tf.mul(momentum, means), tf.mul(1 - momentum, weights));
        weights.assign(tf.where(tf.greater(rows, 0), next, weights) as tf.Tensor2D);
        sum.assign(tf.zerosLike(sum));
      });
    },
    state: held.state,
    dispose: held.dispose,
  };
}

interface Attack {
  readonly steps: number;
  readonly stepLength: number;
  readonly start: StartName;
  readonly startScale: number;
  readonly squares: boolean;
}

/** The attack of an epoch: its radius grows with the epochs up to that of the threat model. */
const growing =
  ({ steps, stepLength, start, startScale, squares }: Attack, weights: ClassWeights): PointMaker =>
  (batch, context, role) => {
    const { model, threat, epoch, epochs } = context;
    const epsilon = (threat.epsilon * (epoch + 1)) / epochs;
    const y = batch.targets ?? oneHotLabels(batch.labels, model.classes);
    const u = squares ? (tf.matMul(y, weights.table(model.classes)) as tf.Tensor2D) : undefined;
    return pgdPoint(
      batch,
      { ...context, threat: { ...threat, epsilon } },
      {
        ...{ role, steps, stepSize: stepLength * epsilon, start, startScale, mode: 'eval' },
        goal: (points, logitsAt) => {
          const natural = logitsAt(points.images);
          return (logits) => {
            const soft = softCrossEntropy(natural, logits);
            return u ? (tf.add(soft, weightedSquares(natural, logits, u)) as tf.Tensor1D) : soft;
          };
        },
      },
    );
  };

/** Improved KL: the two parts of the KL, a weighted squared error of logit differences and a cross-entropy, weighted apart. */
export const ikl = defineObjective({
  name: 'ikl',
  summary: 'Cross-entropy plus the decoupled KL: class-weighted squared logit differences and a soft cross-entropy.',
  cite: 'Cui et al., 2024, Eq. 9 (NeurIPS 2024); arXiv:2305.13948',
  options: {
    alpha: weight(4, 'the soft cross-entropy'),
    beta: weight(20, 'the squared logit differences'),
    temperature: number({ above: 0 }).default(4).describe('softens the outputs whose means weight the classes'),
    momentum: number({ min: 0, max: 1 }).default(1).describe('share of the last epoch in those means'),
    inner: z
      .strictObject({
        steps: integer({ min: 0 }).default(2).describe('updates of the point; 5 for a high budget'),
        stepLength: number({ min: 0 })
          .default(1)
          .describe('length of one update, in radii of the epoch; 0.5 for a high budget'),
        start: z.enum(startNames).default('gaussian').describe('where the attack starts'),
        startScale: onlyWith(
          pixelLength({ min: 0 }).default(0.001).describe('standard deviation of a gaussian start'),
          { start: 'gaussian' },
        ),
        squares: z.boolean().default(false).describe('the attack climbs the squared logit differences, too'),
      })
      .prefault({})
      .describe('the attack that makes the neighbours; its radius grows linearly over the epochs'),
    passes: passesInOrder(['adversarial', 'natural']),
  },
  examine: ({ inner }) => [
    ...examineStart(inner, { fromNatural: true }),
    ...(inner.steps === 0
      ? []
      : examineRadii(
          inner.steps * inner.stepLength,
          `inner.steps is ${inner.steps}, inner.stepLength is ${inner.stepLength}`,
        )),
  ],
  create({ alpha, beta, temperature, momentum, inner, passes }) {
    const weights = classWeights({ temperature, momentum });
    return {
      points: { adversarial: growing(inner, weights) },
      loss: {
        classification: crossEntropyAt('natural'),
        squares: weighted(beta, ({ z, y, classes }) =>
          weightedSquares(z.natural, z.adversarial, tf.matMul(y, weights.table(classes)) as tf.Tensor2D),
        ),
        'soft-cross-entropy': weighted(alpha, ({ z }) => softCrossEntropy(z.natural, z.adversarial)),
      },
      passes,
      afterStep: ({ y, z }) => weights.add(y, z.natural),
      afterEpoch: () => weights.endEpoch(),
      state: weights.state,
      dispose: weights.dispose,
    };
  },
});
