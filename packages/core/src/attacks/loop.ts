import * as tf from '@tensorflow/tfjs-core';
import { withConstantParameters } from '../classifier/index.js';
import { releasingEarly, signStep } from '../engine/ops/index.js';
import type { ThreatModel } from '../threat/index.js';

/** Loss per example `[batch]` of points `[batch, h, w, c]`; the loop sums it, so each example gets its own gradient. */
export type PointLoss = (points: tf.Tensor4D) => tf.Tensor1D;

/** Gradient of the summed loss with respect to the points, `[batch, h, w, c]`; parameters are not differentiated. */
export function inputGradient(loss: PointLoss, points: tf.Tensor4D): tf.Tensor4D {
  const gradient = tf.grad(releasingEarly((x) => tf.sum(loss(x as tf.Tensor4D))));
  return tf.tidy(() => withConstantParameters(() => gradient(points) as tf.Tensor4D));
}

/**
 * One step along the gradient, projected onto the ball around `origin` and the pixel range. A negative step size descends.
 * For linf: `clip01(clip(x + stepSize * sign(g), origin - epsilon, origin + epsilon))`.
 */
export function attackStep(
  point: tf.Tensor4D,
  gradient: tf.Tensor4D,
  options: { origin: tf.Tensor4D; threat: ThreatModel; stepSize: number },
): tf.Tensor4D {
  const { origin, threat, stepSize } = options;
  if (threat.norm.name === 'linf') return signStep(point, gradient, { origin, stepSize, epsilon: threat.epsilon });
  return tf.tidy(() => {
    const moved = tf.add(point, tf.mul(threat.norm.normalize(gradient), stepSize)) as tf.Tensor4D;
    return threat.norm.project(moved, { origin, epsilon: threat.epsilon });
  });
}

/** How a loop of gradient steps runs. */
export interface GradientLoop {
  readonly origin: tf.Tensor4D;
  /** First point; the loop does not dispose it. It need not lie in the ball. */
  readonly start: tf.Tensor4D;
  readonly steps: number;
  /** Negative descends. */
  readonly stepSize: number;
  readonly threat: ThreatModel;
  readonly loss: PointLoss;
  /** Changes the gradient before the step (momentum); returns a tensor that the loop disposes. */
  readonly transform?: (gradient: tf.Tensor4D) => tf.Tensor4D;
  /** Sees every point before the step is made from it (`step` counts from 0) and the last point (`step === steps`). */
  readonly onPoint?: (point: tf.Tensor4D, step: number) => void;
}

/**
 * The loop that every fixed-step attack shares: `steps` times gradient, step, projection; returns the last point. With 0 steps
 * that is a copy of the start.
 */
export function gradientLoop(loop: GradientLoop): tf.Tensor4D {
  let point = loop.start.clone();
  for (let step = 0; step < loop.steps; step++) {
    loop.onPoint?.(point, step);
    const next = tf.tidy(() => {
      const gradient = inputGradient(loop.loss, point);
      return attackStep(point, loop.transform ? loop.transform(gradient) : gradient, loop);
    });
    point.dispose();
    point = next;
  }
  loop.onPoint?.(point, loop.steps);
  return point;
}
