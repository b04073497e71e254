import { trueClassProbability } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** One of the three points of the triplet per example: three masks `[batch]` float32 of 0 and 1 that add up to 1. */
export type Side = {
  readonly natural: tf.Tensor1D;
  readonly collaborative: tf.Tensor1D;
  readonly adversarial: tf.Tensor1D;
};

/** The least (`upper`) and the most (`lower`) probable of the three points for each example's class. */
export type Sides = {
  readonly upper: Side;
  readonly lower: Side;
};

/** Something of the natural, the collaborative and the adversarial point, in this order, each `[batch, ...]`. */
export type Triplet<T extends tf.Tensor> = readonly [natural: T, collaborative: T, adversarial: T];

/** 0 and 1 by arithmetic: of all comparisons only `greaterEqual` may stand on a tape in TensorFlow.js. */
const mask = (condition: tf.Tensor) => tf.cast(condition, 'float32') as tf.Tensor1D;

const side = (natural: tf.Tensor1D, collaborativeBeforeAdversarial: tf.Tensor1D): Side => {
  const collaborative = tf.mul<tf.Tensor1D>(tf.sub(1, natural), collaborativeBeforeAdversarial);
  return { natural, collaborative, adversarial: tf.sub(tf.sub(1, natural), collaborative) };
};

/**
 * Which point of the triplet stands on which side (Squeeze Training, Algorithm 1): the upper side has the lowest, the lower side
 * the highest probability of the true class. Ties go to natural, then collaborative, as in the authors' code; comparisons instead
 * of argMin make that so on every engine. Constants to differentiation.
 * @param logits three times `[batch, classes]`
 * @param labels `[batch]` int32; without a label all three tie and both sides are natural
 */
export function chooseSides(logits: Triplet<tf.Tensor2D>, labels: tf.Tensor1D): Sides {
  return tf.tidy(() => {
    const [n, c, a] = logits.map((z) => trueClassProbability(z, labels)) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    return {
      upper: side(tf.mul(mask(tf.greaterEqual(c, n)), mask(tf.greaterEqual(a, n))), mask(tf.greaterEqual(a, c))),
      lower: side(tf.mul(mask(tf.greaterEqual(n, c)), mask(tf.greaterEqual(n, a))), mask(tf.greaterEqual(c, a))),
    };
  });
}

/** Per example the member of the triplet that the side names; differentiable in the triplet. */
export function pick<T extends tf.Tensor>({ natural, collaborative, adversarial }: Side, triplet: Triplet<T>): T {
  const shape = [natural.shape[0], ...triplet[0].shape.slice(1).map(() => 1)];
  const part = (mask: tf.Tensor1D, of: T) => tf.mul(tf.reshape(mask, shape), of);
  return tf.addN([part(natural, triplet[0]), part(collaborative, triplet[1]), part(adversarial, triplet[2])]) as T;
}

/** Index into [natural, collaborative, adversarial] per example, `[batch]` int32. */
export function sideIndex({ collaborative, adversarial }: Side): tf.Tensor1D {
  return tf.tidy(() => tf.cast(tf.add(collaborative, tf.mul(2, adversarial)), 'int32') as tf.Tensor1D);
}

export const masksOf = (sides: Sides): tf.Tensor1D[] => [...Object.values(sides.upper), ...Object.values(sides.lower)];
