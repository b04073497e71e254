import * as tf from '../tensor/index.js';
import { inTwoForms, signOf } from '../ops/index.js';
import { leastMove, negligible } from './hyperplane-host.js';
import { overPixels, type Norm } from './norm.js';

/** A hyperplane as it is seen from points, one per example. */
export interface Hyperplane {
  /** Its normal, `[batch, h, w, c]`. */
  readonly w: tf.Tensor4D;
  /** `<w, point> - b`: positive where the point lies on the side that the normal points to, `[batch, 1, 1, 1]`. */
  readonly gap: tf.Tensor4D;
}

/** Which way of the two it goes, and how fast, is the norm's. */
type Geometry = Pick<Norm, 'name' | 'perPixel' | 'sparse'>;

/** Newton's steps come from below and end at the exact root; where all but a hundredth of the way is blocked, 11 were needed. */
const newtonSteps = 14;
/** Beyond every multiplier that matters, and finite when multiplied. */
const unbounded = 1e12;

const flat = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [x.shape[0]!, -1]);

/** Solves `sum_j weight_j min(lambda speed_j, room_j) = c` for lambda, per example: concave and piecewise linear. */
function multipliers(weight: tf.Tensor, speed: tf.Tensor, { room, c }: { room: tf.Tensor; c: tf.Tensor }): tf.Tensor {
  const slopes = tf.mul(weight, speed);
  let lambda: tf.Tensor = tf.zerosLike(c);
  for (let i = 0; i < newtonSteps; i++) {
    const wanted = tf.mul(speed, lambda);
    const left = tf.sub(c, tf.sum(tf.mul(weight, tf.minimum(wanted, room)), overPixels, true));
    const slope = tf.sum(tf.mul(slopes, tf.cast(tf.less(wanted, room), 'float32')), overPixels, true);
    lambda = tf.minimum(tf.add(lambda, tf.div(tf.relu(left), tf.maximum(slope, 1e-30))), unbounded);
  }
  return lambda;
}

/** Takes values of each row by their places in it, `[batch, n]` int32. */
function withinRows(values: tf.Tensor2D, places: tf.Tensor2D): tf.Tensor2D {
  const [rows, n] = values.shape;
  const starts = tf.reshape(tf.range(0, rows * n, n, 'int32'), [rows, 1]);
  const taken = tf.gather(tf.reshape(values, [-1]), tf.reshape(tf.add(places, starts), [-1]));
  return tf.reshape(taken, [rows, n]);
}

/** The places that bring rows taken in `order` back to where they were. */
const inverse = (order: tf.Tensor2D): tf.Tensor2D =>
  tf.topk(tf.neg(tf.cast(order, 'float32')), order.shape[1]).indices as tf.Tensor2D;

/** Spends the budget on the largest weights first: all their room, until it is gone. */
function greedy(weight: tf.Tensor4D, room: tf.Tensor4D, c: tf.Tensor4D): tf.Tensor4D {
  const { values, indices } = tf.topk(flat(weight), weight.size / weight.shape[0]);
  const order = indices as tf.Tensor2D;
  const rooms = withinRows(flat(room), order);
  const left = tf.sub(flat(c), tf.cumsum(tf.mul(values, rooms), 1, true));
  const moves = tf.minimum(tf.relu(tf.div(left, tf.maximum(values, 1e-30))), rooms);
  return tf.reshape(withinRows(moves as tf.Tensor2D, inverse(order)), weight.shape);
}

function asTensors(point: tf.Tensor4D, { w, gap }: Hyperplane, { perPixel, sparse }: Geometry): tf.Tensor4D {
  return tf.tidy(() => {
    const side = tf.sub(1, tf.mul(2, tf.cast(tf.less(gap, 0), 'float32')));
    const away = tf.mul(w, side);
    const size = tf.abs(w);
    const weight: tf.Tensor4D = perPixel ? size : tf.mul(size, tf.cast(tf.greater(size, negligible), 'float32'));
    const down = tf.cast(tf.greater(away, 0), 'float32');
    // to 0 where the coefficient is positive, to 1 where it is negative
    const room = tf.abs(tf.sub<tf.Tensor4D>(point, tf.sub(1, down)));
    const c: tf.Tensor4D = tf.abs(gap);
    const speed = perPixel ? tf.onesLike(c) : weight;
    const move = sparse
      ? greedy(weight, room, c)
      : tf.minimum(tf.mul(speed, multipliers(weight, speed, { room, c })), room);
    const moving = tf.cast(tf.greater(weight, 0), 'float32');
    return tf.neg(tf.mul(tf.mul(signOf(away), moving), move)) as tf.Tensor4D;
  });
}

function onHost(point: tf.Tensor4D, { w, gap }: Hyperplane, { name }: Geometry): tf.Tensor4D {
  const [t, normals, gaps] = [point.dataSync(), w.dataSync(), gap.dataSync()];
  const moves = new Float32Array(t.length);
  const n = t.length / gaps.length;
  gaps.forEach((c, e) => {
    const [from, to] = [e * n, (e + 1) * n];
    moves.set(leastMove({ t: t.subarray(from, to), w: normals.subarray(from, to), c }, name), from);
  });
  return tf.tensor4d(moves, point.shape);
}

/**
 * The displacement d of least norm with `<w, point + d> = b` and `0 <= point + d <= 1`, per example (Croce and Hein, 2020, section 3.1;
 * arXiv:1907.02044). Where the plane is out of reach, every coordinate goes to its face.
 * @param point `[batch, h, w, c]` float32 in [0, 1]
 * @returns as the point
 */
export const projectOnHyperplane = inTwoForms({ onHost, asTensors });
