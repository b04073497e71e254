import * as tf from '../tensor/index.js';
import { inTwoForms, signOf } from '../ops/index.js';
import { overPixels } from './norm.js';

/**
 * Euclidean projection of `z` onto `{ |z|_1 <= epsilon, 0 <= x + z <= 1 }`, in place and in float64:
 * `z_j = sign(z_j) max(0, min(|z_j| - t, room_j))` with the smallest t >= 0 that keeps the budget (Croce and Hein, 2021, section 3.1;
 * arXiv:2103.01208). The sum is piecewise linear and decreasing in t; Newton steps inside a bisection bracket find t exactly.
 * @param z one image's perturbation, overwritten
 * @param x the image, in [0, 1]
 */
export function projectL1InBox(z: Float64Array, x: ArrayLike<number>, epsilon: number): void {
  const n = z.length;
  const room = new Float64Array(n);
  const size = new Float64Array(n);
  let largest = 0;
  for (let j = 0; j < n; j++) {
    size[j] = Math.abs(z[j]!);
    room[j] = Math.max(0, z[j]! > 0 ? 1 - x[j]! : x[j]!);
    largest = Math.max(largest, size[j]!);
  }
  const t = threshold(size, room, { epsilon, largest });
  for (let j = 0; j < n; j++) {
    const kept = Math.max(0, Math.min(size[j]! - t, room[j]!));
    z[j] = z[j]! < 0 ? -kept : kept;
  }
}

function threshold(
  size: Float64Array,
  room: Float64Array,
  { epsilon, largest }: { epsilon: number; largest: number },
): number {
  /** Sum at t and the number of coordinates that still shrink there. */
  const at = (t: number) => {
    let [sum, moving] = [0, 0];
    for (let j = 0; j < size.length; j++) {
      const kept = size[j]! - t;
      if (kept <= 0) continue;
      if (kept > room[j]!) sum += room[j]!;
      else {
        sum += kept;
        moving++;
      }
    }
    return { sum, moving };
  };
  if (at(0).sum <= epsilon) return 0;
  let [low, high] = [0, largest];
  let t = 0;
  for (let step = 0; step < 100 && low < high; step++) {
    const { sum, moving } = at(t);
    if (sum > epsilon) low = t;
    else high = t;
    const newton = moving > 0 ? t + (sum - epsilon) / moving : NaN;
    if (newton === t) break;
    t = newton > low && newton < high ? newton : (low + high) / 2;
    if (t <= low || t >= high) break;
  }
  return t;
}

interface Ball {
  readonly origin: tf.Tensor4D;
  /** One radius, or one per example, `[batch, 1, 1, 1]`. */
  readonly epsilon: number | tf.Tensor4D;
}

/** Newton's steps inside a bracket that halves where they leave it; ten are usual. */
const steps = 25;

/** The threshold that brings each example's sum down to the budget, `[batch, 1, 1, 1]`; 0 where it is kept. */
function thresholds(size: tf.Tensor, room: tf.Tensor, epsilon: Ball['epsilon']): tf.Tensor {
  let high: tf.Tensor = tf.max(size, overPixels, true);
  let low: tf.Tensor = tf.zerosLike(high);
  let t = low;
  for (let i = 0; i < steps; i++) {
    const left = tf.relu(tf.sub(size, t));
    const excess = tf.sub(tf.sum(tf.minimum(left, room), overPixels, true), epsilon);
    const shrinking = tf.sub(tf.cast(tf.greater(left, 0), 'float32'), tf.cast(tf.greater(left, room), 'float32'));
    const moving = tf.sum(shrinking, overPixels, true);
    const over = tf.greater(excess, 0);
    [low, high] = [tf.where(over, t, low), tf.where(over, high, t)];
    const newton = tf.add(t, tf.div(excess, tf.maximum(moving, 1)));
    const within = tf.logicalAnd(tf.greaterEqual(newton, low), tf.lessEqual(newton, high));
    t = tf.where(tf.logicalAnd(within, tf.greater(moving, 0)), newton, tf.div(tf.add(low, high), 2));
  }
  return t;
}

function asTensors(z: tf.Tensor4D, { origin, epsilon }: Ball): tf.Tensor4D {
  return tf.tidy(() => {
    const size = tf.abs(z);
    const up = tf.cast(tf.greater(z, 0), 'float32');
    // to 1 where it goes up, to 0 where it goes down
    const room = tf.abs(tf.sub(up, origin));
    const kept = tf.minimum(tf.relu(tf.sub(size, thresholds(size, room, epsilon))), room);
    return tf.mul<tf.Tensor4D>(signOf(z), kept);
  });
}

function onHost(perturbation: tf.Tensor4D, { origin, epsilon }: Ball): tf.Tensor4D {
  const x = origin.dataSync() as Float32Array;
  const moves = Float64Array.from(perturbation.dataSync() as Float32Array);
  const dimension = x.length / origin.shape[0];
  const radii = typeof epsilon === 'number' ? undefined : epsilon.dataSync();
  for (let e = 0, from = 0; from < x.length; e++, from += dimension) {
    const [z, image] = [moves.subarray(from, from + dimension), x.subarray(from, from + dimension)];
    projectL1InBox(z, image, radii?.[e] ?? (epsilon as number));
  }
  return tf.tensor4d(Float32Array.from(moves), perturbation.shape);
}

/**
 * The nearest perturbations, `[batch, h, w, c]`, in the l1 ball that leave their images in the pixel range; not differentiable. A perturbation
 * keeps digits that its sum with the image rounds away.
 */
export const keepInL1Ball = inTwoForms({ onHost, asTensors });
