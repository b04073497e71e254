import * as tf from '../../tensor/index.js';
import { inputGradient } from '../../classifier/index.js';
import { crossEntropy } from '../../loss/index.js';
import type { Random } from '../../random.js';
import { clipToPixelRange, l2 } from '../../threat/index.js';
import { eachStep } from '../each-step.js';
import {
  cosine,
  euclidean,
  furthest,
  nearer,
  reached,
  tiny,
  towardsGoal,
  type MinimumNormRun,
  type Nearest,
} from './nearest.js';

/** One run of DDN. */
export interface DdnRun extends MinimumNormRun {
  /** Radius of the first step. */
  readonly firstRadius: number;
  /** By which share the radius changes in each step. */
  readonly gamma: number;
  /** Number of values that a pixel can take, 256 for images of bytes; undefined for any. */
  readonly levels?: number;
  /** For directions where the gradient is 0. */
  readonly random: Random;
}

interface State extends Nearest {
  readonly point: tf.Tensor4D;
  readonly radius: tf.Tensor4D;
}

/** To the nearest of `levels` values in [0, 1], half to even. */
const quantised = (x: tf.Tensor4D, levels: number): tf.Tensor4D => tf.div(tf.round(tf.mul(x, levels - 1)), levels - 1);

/**
 * Decoupled direction and norm (Rony et al., 2019, Algorithm 1; arXiv:1811.09600), as adversarial-library has it: cross-entropy gives the
 * direction, the radius shrinks at adversarial points and grows at others. Points are clipped and rounded to `levels` after they are
 * brought to the radius, in every step; the point after the last step is not looked at.
 * @returns the nearest adversarial points `[batch, h, w, c]`, the image where there is none; the caller disposes them
 */
export async function ddn(run: DdnRun): Promise<tf.Tensor4D> {
  const { images, model, steps, firstRadius, gamma, levels } = run;
  const loss = towardsGoal(run, crossEntropy);
  const worst = furthest(images, l2);
  // drawn once, so that nothing has to be read back to know whether it is needed
  const anywhere = tf.tidy(() => {
    const normal = run.random.normal<tf.Rank.R4>(images.shape);
    return tf.div(normal, tf.maximum(euclidean(normal), tiny)) as tf.Tensor4D;
  });
  const first: State = tf.tidy(() => ({
    point: images.clone(),
    radius: tf.fill(worst.shape, firstRadius) as tf.Tensor4D,
    points: images.clone(),
    lengths: worst.clone(),
  }));
  const state = await eachStep(run, first, (before, step) => {
    const { point } = before;
    const { gradient, logits } = inputGradient(model, point, { loss });
    const adversarial = reached(logits, run);
    const perturbation = tf.sub(point, images) as tf.Tensor4D;
    const length = euclidean(perturbation);
    run.trace?.({ point, adversarial, length }, step);
    const slope = euclidean(gradient);
    const uphill = tf.div(gradient, tf.maximum(slope, tiny));
    const direction = tf.where(tf.less(slope, tiny), anywhere, uphill);
    const stepped = tf.add(perturbation, tf.mul(direction, cosine(step, { from: 1, to: 0.01, steps }))) as tf.Tensor4D;
    const factor = tf.where(adversarial, tf.scalar(1 - gamma), tf.scalar(1 + gamma));
    const radius = tf.minimum(tf.mul(before.radius, factor), worst) as tf.Tensor4D;
    const clipped = clipToPixelRange(tf.add(images, l2.toRadius(stepped, radius)));
    return {
      ...nearer(before, { point, adversarial, length }),
      radius,
      point: levels === undefined ? clipped : quantised(clipped, levels),
    };
  });
  tf.dispose([worst, anywhere, state.point, state.radius, state.lengths]);
  return state.points;
}
