import type { Norm } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Steps } from './apgd.js';

/** Weight of the gradient step against the momentum after the first iteration. */
const stepWeight = 0.75;
/** Share of rising iterations up to which a window counts as oscillating. */
const rho = 0.75;

/** Iterations at which step sizes are looked at: windows that shrink from 0.22 to 0.06 of the run. */
function windows(steps: number): Map<number, number> {
  const found = new Map<number, number>();
  const share = (part: number) => Math.max(Math.floor(part * steps), 1);
  let window = share(0.22);
  for (let at = window; at <= steps; at += window) {
    found.set(at - 1, window);
    window = Math.max(window - share(0.03), share(0.06));
  }
  return found;
}

/**
 * Steps of APGD in linf and l2, with momentum, from 2 epsilon on; halved where the loss oscillates or the best one stands still (Croce and
 * Hein, 2020, section 3.2; arXiv:2003.01690).
 */
export function denseSteps(
  images: tf.Tensor4D,
  { norm, epsilon, steps }: { norm: Norm; epsilon: number; steps: number },
): Steps {
  const count = images.shape[0];
  const sizes = new Float32Array(count).fill(2 * epsilon);
  const checks = windows(steps);
  const history: Float32Array[] = [];
  let halvedBefore = new Uint8Array(count).fill(1);
  let bestBefore: Float32Array | undefined;
  const ball = { origin: images, epsilon };
  return {
    next({ point, gradient }, previous, index) {
      const size = tf.tensor4d(sizes, [count, 1, 1, 1]);
      const stepped = norm.project(tf.add(point, tf.mul(size, norm.normalize(gradient))) as tf.Tensor4D, ball);
      const weight = index === 0 ? 1 : stepWeight;
      const drift = tf.mul(tf.sub(point, previous), 1 - weight);
      return norm.project(tf.addN([point, tf.mul(tf.sub(stepped, point), weight), drift]) as tf.Tensor4D, ball);
    },
    check(index, { loss, bestLoss }) {
      history.push(loss.slice());
      const window = checks.get(index);
      if (window === undefined) return undefined;
      const halved = Uint8Array.from(sizes, (_, e) => {
        // before the first iteration the authors' code reads the still empty end of its buffer: 0
        const rises = (j: number) => history[j]![e]! > (j === 0 ? 0 : history[j - 1]![e]!);
        const risen = Array.from({ length: window }, (_, back) => rises(index - back)).filter(Boolean).length;
        const still = !halvedBefore[e] && bestBefore !== undefined && bestBefore[e]! >= bestLoss[e]!;
        return risen <= rho * window || still ? 1 : 0;
      });
      halved.forEach((flag, e) => flag && (sizes[e]! /= 2));
      halvedBefore = halved;
      bestBefore = bestLoss.slice();
      return halved;
    },
  };
}
