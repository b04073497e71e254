import * as tf from '../../tensor/index.js';
import { logitsOf, type Classifier } from '../../classifier/index.js';
import { choose, column } from '../choose.js';
import { overPixels, type Norm } from '../../threat/index.js';

/** What a minimum-norm attack starts from. */
export interface MinimumNormRun {
  /** `[batch, h, w, c]` float32 in [0, 1]. */
  readonly images: tf.Tensor4D;
  /** `[batch]` int32. */
  readonly labels: tf.Tensor1D;
  /** Classes to reach, `[batch]` int32; default any but the label. */
  readonly targets?: tf.Tensor1D;
  readonly model: Classifier;
  readonly steps: number;
  /** Called between steps with the share done, in [0, 1]. */
  readonly progress?: (share: number) => void;
  /** Sees what each step (from 0) is made from; the tensors live only as long as the call. */
  readonly trace?: (at: { point: tf.Tensor4D; adversarial: tf.Tensor4D; length: tf.Tensor4D }, step: number) => void;
}

/** Keeps a division finite where a gradient or perturbation is exactly 0. */
export const tiny = 1e-12;

/** Euclidean length of each example, `[batch, 1, 1, 1]`. */
export const euclidean = (x: tf.Tensor4D): tf.Tensor4D => tf.sqrt(tf.sum<tf.Tensor4D>(tf.square(x), overPixels, true));

/** Where the attack has reached its goal, `[batch, 1, 1, 1]` bool. */
export const reached = (logits: tf.Tensor2D, { labels, targets }: MinimumNormRun): tf.Tensor4D => {
  const classes = tf.argMax(logits, 1);
  return column(targets ? tf.equal(classes, targets) : tf.notEqual(classes, labels));
};

/** No image in [0, 1] is further away from each of these than this, `[batch, 1, 1, 1]`. */
export const furthest = (images: tf.Tensor4D, norm: Norm): tf.Tensor4D =>
  tf.tidy(() => column(norm.measure(tf.maximum(images, tf.sub(1, images)))));

/** The nearest adversarial points so far; all on the engine, nothing is read back. */
export interface Nearest {
  /** `[batch, h, w, c]`; the image where none was found. */
  readonly points: tf.Tensor4D;
  /** `[batch, 1, 1, 1]`; the furthest distance where none was found. */
  readonly lengths: tf.Tensor4D;
}

/** What is nearest after one more look. */
export function nearer(
  before: Nearest,
  look: { point: tf.Tensor4D; adversarial: tf.Tensor4D; length: tf.Tensor4D },
): Nearest {
  const better = tf.logicalAnd(look.adversarial, tf.less(look.length, before.lengths));
  return {
    points: choose(better, look.point, before.points),
    lengths: tf.where(better, look.length, before.lengths),
  };
}

/** A loss per example that grows towards the goal: away from the label, or to the target. */
export const towardsGoal = (
  { labels, targets }: MinimumNormRun,
  loss: (logits: tf.Tensor2D, classes: tf.Tensor1D) => tf.Tensor1D,
): ((logits: tf.Tensor2D) => tf.Tensor1D) =>
  targets ? (logits) => tf.neg(loss(logits, targets)) : (logits) => loss(logits, labels);

/** From `from` at step 0 to `to` after the last of `steps`, along half a cosine. */
export const cosine = (step: number, { from, to, steps }: { from: number; to: number; steps: number }): number =>
  to + ((from - to) * (1 + Math.cos((Math.PI * step) / steps))) / 2;

/**
 * Bisects the norm's own path from each image to an adversarial point; the adversarial end counts.
 * @returns `[batch, h, w, c]`, which the caller disposes
 */
export function bisect(
  run: MinimumNormRun,
  { to, norm, bisections }: { to: tf.Tensor4D; norm: Norm; bisections: number },
): tf.Tensor4D {
  return tf.tidy(() => {
    const { images, model } = run;
    const whole = tf.sub(to, images) as tf.Tensor4D;
    const at = (share: tf.Tensor4D) => tf.add(images, norm.along(whole, share)) as tf.Tensor4D;
    let low = tf.zeros<tf.Rank.R4>([images.shape[0], 1, 1, 1]);
    let high = tf.onesLike(low);
    for (let i = 0; i < bisections; i++) {
      const middle = tf.div(tf.add(low, high), 2) as tf.Tensor4D;
      const adversarial = reached(logitsOf(model, at(middle)), run);
      [low, high] = [tf.where(adversarial, low, middle), tf.where(adversarial, middle, high)];
    }
    return at(high);
  });
}
