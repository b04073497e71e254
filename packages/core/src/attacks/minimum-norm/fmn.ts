import * as tf from '../../tensor/index.js';
import { column } from '../choose.js';
import { eachStep } from '../each-step.js';
import { inputGradient } from '../../classifier/index.js';
import { margin } from '../../loss/index.js';
import { clipToPixelRange, norms, type Norm } from '../../threat/index.js';
import {
  bisect,
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

/** One run of FMN. */
export interface FmnRun extends MinimumNormRun {
  readonly norm: Norm;
  /** Euclidean length of the first step; the last is a hundredth of it. */
  readonly stepSize: number;
  /** By which share the radius changes, at first and at last. */
  readonly gamma: { readonly first: number; readonly last: number };
  /** Adversarial points to begin at, brought nearer by so many bisections; default the images. */
  readonly start?: { readonly points: tf.Tensor4D; readonly bisections: number };
}

/** Larger than any distance, and finite: the radius before a boundary was seen. */
const unbounded = 1e30;

interface State extends Nearest {
  readonly point: tf.Tensor4D;
  /** Radius of the ball that the next point is in, `[batch, 1, 1, 1]`. */
  readonly radius: tf.Tensor4D;
  /** 1 where an adversarial point was seen, `[batch, 1, 1, 1]`. */
  readonly found: tf.Tensor4D;
}

/** The radius after a look: smaller where it was adversarial, larger or to the linearised boundary where not. */
function nextRadius(
  before: State,
  look: { adversarial: tf.Tensor4D; length: tf.Tensor4D; toBoundary: tf.Tensor },
  limits: { gamma: number; nearest: tf.Tensor4D; worst: tf.Tensor4D },
): tf.Tensor4D {
  const shrunk = tf.minimum(tf.mul(before.radius, 1 - limits.gamma), limits.nearest);
  const grown = tf.mul(before.radius, 1 + limits.gamma);
  const outward = tf.where(tf.greater(before.found, 0), grown, tf.add(look.length, look.toBoundary));
  return tf.minimum(tf.where(look.adversarial, shrunk, outward), limits.worst);
}

/**
 * Fast minimum-norm attack (Pintor et al., 2021, Algorithm 1; arXiv:2102.12827), as adversarial-library has it: descends the logit
 * difference with Euclidean steps inside a ball whose radius follows the boundary. The point after the last step is not looked at. In l2
 * every point is brought to the radius exactly, from inside, too.
 * @returns the nearest adversarial points `[batch, h, w, c]`, the image where there is none; the caller disposes them
 */
export async function fmn(run: FmnRun): Promise<tf.Tensor4D> {
  const { images, model, norm, steps, stepSize, gamma, start } = run;
  const loss = towardsGoal(run, margin);
  const worst = furthest(images, norm);
  const first: State = tf.tidy(() => ({
    point: start ? bisect(run, { to: start.points, norm, bisections: start.bisections }) : images.clone(),
    radius: tf.fill(worst.shape, unbounded) as tf.Tensor4D,
    found: tf.zerosLike(worst),
    points: images.clone(),
    lengths: worst.clone(),
  }));
  const state = await eachStep(run, first, (before, step) => {
    const { point } = before;
    const { gradient, losses, logits } = inputGradient(model, point, { loss });
    const adversarial = reached(logits, run);
    const perturbation = tf.sub(point, images) as tf.Tensor4D;
    const length = column(norm.measure(perturbation));
    run.trace?.({ point, adversarial, length }, step);
    const nearest = nearer(before, { point, adversarial, length });
    const toBoundary = tf.div(tf.abs(column(losses)), tf.maximum(column(norms[norm.dual].measure(gradient)), tiny));
    const radius = nextRadius(
      before,
      { adversarial, length, toBoundary },
      { gamma: cosine(step, { from: gamma.first, to: gamma.last, steps }), nearest: nearest.lengths, worst },
    );
    const size = cosine(step, { from: stepSize, to: stepSize / 100, steps });
    const direction = tf.div(gradient, tf.maximum(euclidean(gradient), tiny));
    const moved = norm.toRadius(tf.add(perturbation, tf.mul(direction, size)), radius);
    return {
      ...nearest,
      radius,
      found: tf.maximum(before.found, tf.cast(adversarial, 'float32')) as tf.Tensor4D,
      point: clipToPixelRange(tf.add(images, moved)),
    };
  });
  tf.dispose([worst, state.point, state.radius, state.found, state.lengths]);
  return state.points;
}
