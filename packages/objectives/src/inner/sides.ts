import { trueClassProbability, withoutGradient } from '@bulwark/core';
import { pickOf } from '@bulwark/core/engine';
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

/** The masks of one side as rows, `[3, batch]`. */
const side = (natural: tf.Tensor, collaborativeBeforeAdversarial: tf.Tensor): tf.Tensor2D => {
  const other = tf.logicalNot(natural);
  const collaborative = tf.logicalAnd(other, collaborativeBeforeAdversarial);
  const adversarial = tf.logicalAnd(other, tf.logicalNot(collaborativeBeforeAdversarial));
  return tf.cast(tf.stack([natural, collaborative, adversarial]), 'float32') as tf.Tensor2D;
};

/** Both sides, `[6, batch]`. */
function sideMasks(probabilities: readonly tf.Tensor[]): tf.Tensor2D {
  const [n, c, a] = probabilities as [tf.Tensor, tf.Tensor, tf.Tensor];
  const upper = side(tf.logicalAnd(tf.lessEqual(n, c), tf.lessEqual(n, a)), tf.lessEqual(c, a));
  const lower = side(tf.logicalAnd(tf.greaterEqual(n, c), tf.greaterEqual(n, a)), tf.greaterEqual(c, a));
  return tf.concat([upper, lower]);
}

/**
 * Which point of the triplet stands on which side (Squeeze Training, Algorithm 1): the upper side has the lowest, the lower side
 * the highest probability of the true class. Ties go to natural, then collaborative, as in the authors' code; comparisons instead
 * of argMin make that so on every engine. Constants to differentiation.
 * @param logits three times `[batch, classes]`
 * @param labels `[batch]` int32, or `oneHotLabels` of them; without a label all three tie and both sides are natural
 */
export function chooseSides(logits: Triplet<tf.Tensor2D>, labels: tf.Tensor1D | tf.Tensor2D): Sides {
  return tf.tidy(() => {
    const masks = withoutGradient(
      (...triplet) => sideMasks(triplet.map((z) => trueClassProbability(z as tf.Tensor2D, labels))),
      ...logits,
    );
    const [un, uc, ua, ln, lc, la] = tf.unstack(masks) as [
      tf.Tensor1D,
      tf.Tensor1D,
      tf.Tensor1D,
      tf.Tensor1D,
      tf.Tensor1D,
      tf.Tensor1D,
    ];
    return {
      upper: { natural: un, collaborative: uc, adversarial: ua },
      lower: { natural: ln, collaborative: lc, adversarial: la },
    };
  });
}

/** Per example the member of the triplet that the side names; differentiable in the triplet. */
export const pick = <T extends tf.Tensor>({ natural, collaborative, adversarial }: Side, triplet: Triplet<T>): T =>
  pickOf([natural, collaborative, adversarial], triplet);

/** Index into [natural, collaborative, adversarial] per example, `[batch]` int32. */
export function sideIndex({ collaborative, adversarial }: Side): tf.Tensor1D {
  return tf.tidy(() => tf.cast(tf.add(collaborative, tf.mul(2, adversarial)), 'int32') as tf.Tensor1D);
}
