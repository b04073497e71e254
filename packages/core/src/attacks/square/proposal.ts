import * as tf from '../../tensor/index.js';
import type { Random } from '../../random.js';
import { signOf } from '../../ops/index.js';
import { clipToPixelRange, keepInL1Ball, type Norm } from '../../threat/index.js';
import { column } from '../choose.js';
import { doubleBump } from './bump.js';

/** Height, width and channels of the images, and the ball. */
export interface Geometry {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly epsilon: number;
}

/** Images and what is best for each so far, `[n, h, w, c]`, with what `around` made of the images. */
export interface At {
  readonly images: tf.Tensor4D;
  /** As the proposals hold it: a point, or a perturbation, which keeps digits that its sum with the image rounds away. */
  readonly best: tf.Tensor4D;
  readonly around: readonly tf.Tensor4D[];
}

/**
 * How candidates are made in one norm. Draws are made on the host in the official code's order, and go to the engine without waiting: those that
 * all images of a batch share (windows, patterns) and those of each image (signs).
 */
export interface Proposals {
  /** What proposals need of the images each time; the caller disposes it. */
  around(images: tf.Tensor4D): tf.Tensor4D[];
  /** The first candidates for a batch of images. */
  start(images: tf.Tensor4D, random: Random): tf.Tensor4D;
  /** Candidates of one query, held as the best. */
  propose(at: At, side: number, random: Random): tf.Tensor4D;
  /** The points in [0, 1] that candidates stand for. */
  points(candidates: tf.Tensor4D, images: tf.Tensor4D): tf.Tensor4D;
}

type Window = readonly [top: number, left: number];

const randomSign = (random: Random) => Math.sign(2 * random.next() - 1);
/** Signs in the order of a tensor `[n, channels, 1, 1]`. */
const signs = (random: Random, count: number) => Float32Array.from({ length: count }, () => randomSign(random));
const drawWindow = (random: Random, { height, width }: Geometry, side: number): Window => [
  random.integer(height - side),
  random.integer(width - side),
];

/** Vertical stripes at the start, then squares of +-2 epsilon per channel, one square for the whole batch (section 3.2). */
export function linfProposals(geometry: Geometry): Proposals {
  const { height, width, channels, epsilon } = geometry;
  return {
    around: (images) => [
      tf.tidy(() => tf.relu(tf.sub<tf.Tensor4D>(images, epsilon))),
      tf.tidy(() => tf.minimum<tf.Tensor4D>(tf.add(images, epsilon), 1)),
    ],
    start: (images, random) =>
      tf.tidy(() => {
        const stripes = random.uniform<tf.Rank.R4>([images.shape[0], 1, width, channels]);
        const signed = signOf(tf.sub(tf.mul(stripes, 2), 1));
        return tf.clipByValue(tf.add<tf.Tensor4D>(images, tf.mul(signed, epsilon)), 0, 1);
      }),
    propose({ best, around: [low, high] }, side, random) {
      const [top, left] = drawWindow(random, geometry, side);
      const sign = signs(random, channels);
      const shift = new Float32Array(height * width * channels);
      for (let r = top; r < top + side; r++)
        for (let c = left; c < left + side; c++)
          for (let k = 0; k < channels; k++) shift[(r * width + c) * channels + k] = 2 * epsilon * sign[k]!;
      return tf.tidy(() => {
        const moved = tf.add(best, tf.tensor4d(shift, [1, height, width, channels]));
        return tf.minimum(tf.maximum(moved, low!), high!) as tf.Tensor4D;
      });
    },
    points: (candidates) => candidates.clone(),
  };
}

/** Keeps a division finite. */
const tiny = 1e-12;

/** Moves bumps of perturbation from one window to another (sections 3.3 and, for l1, Croce and Hein, 2021, appendix). */
export function bumpProposals(norm: Norm, geometry: Geometry): Proposals {
  const { height, width, channels, epsilon } = geometry;
  const { order, sparse } = norm;
  const power = (x: tf.Tensor): tf.Tensor => (sparse ? tf.abs(x) : tf.square(x));
  const root = (x: tf.Tensor): tf.Tensor => (sparse ? x : tf.sqrt(x));

  /** The perturbation, brought to the ball's surface and cut to the pixel range (l2), or into both (l1). */
  const place = (images: tf.Tensor4D, delta: tf.Tensor4D): tf.Tensor4D => {
    // a little inside: a float32 sum of the result must not exceed epsilon
    if (sparse) return keepInL1Ball(delta, { origin: images, epsilon: epsilon * (1 - 1e-6) });
    const scale = tf.div(epsilon, tf.add(column(norm.measure(delta)), tiny));
    return tf.minimum(tf.maximum(tf.mul(delta, scale), tf.neg(images)), tf.sub(1, images));
  };
  const cut = (x: tf.Tensor, [top, left]: Window, side: number): tf.Tensor4D =>
    tf.slice(x as tf.Tensor4D, [0, top, left, 0], [-1, side, side, -1]);
  /** Ones and zeros over a window's pixels, by whether each also lies in another window of the same side. */
  const outsideOf = (other: Window, window: Window, side: number): tf.Tensor4D => {
    const flags = Float32Array.from({ length: side * side }, (_, i) => {
      const [r, c] = [window[0] + Math.floor(i / side) - other[0], window[1] + (i % side) - other[1]];
      return r >= 0 && r < side && c >= 0 && c < side ? 0 : 1;
    });
    return tf.tensor4d(flags, [1, side, side, 1]);
  };
  /** Zeros over both windows, ones elsewhere. */
  const elsewhere = (windows: readonly Window[], side: number): tf.Tensor4D => {
    const flags = new Float32Array(height * width).fill(1);
    for (const [top, left] of windows)
      for (let r = top; r < top + side; r++) flags.fill(0, r * width + left, r * width + left + side);
    return tf.tensor4d(flags, [1, height, width, 1]);
  };

  return {
    around: () => [],
    start(images, random) {
      const n = images.shape[0];
      const side = Math.max(Math.floor(height / 5), 1);
      const offset = Math.max(Math.floor((height - 5 * side) / 2), 0);
      const delta = new Float32Array(images.size);
      const add = (pattern: Float64Array, sign: Float32Array, [top, left]: Window) => {
        for (let e = 0; e < n; e++)
          pattern.forEach((value, i) => {
            const [r, c] = [top + Math.floor(i / side), left + (i % side)];
            const pixel = ((e * height + r) * width + c) * channels;
            for (let k = 0; k < channels; k++) delta[pixel + k]! += value * sign[e * channels + k]!;
          });
      };
      for (let row = 0; row < Math.floor(height / side); row++)
        for (let column = 0; column < Math.floor(width / side); column++) {
          const pattern = doubleBump(side, norm, random);
          add(pattern, signs(random, n * channels), [offset + row * side, offset + column * side]);
        }
      return tf.tidy(() => place(images, tf.tensor4d(delta, images.shape)));
    },
    propose({ images, best: delta }, side, random) {
      const [to, from] = [drawWindow(random, geometry, side), drawWindow(random, geometry, side)];
      const pattern = Float32Array.from(doubleBump(side, norm, random));
      const n = images.shape[0];
      const sign = signs(random, n * channels);
      return tf.tidy(() => {
        const powers = power(delta);
        const overWindow = (x: tf.Tensor) => tf.sum(x, [1, 2], true);
        const used = tf.sum(powers, [1, 2, 3], true);
        const spare = tf.div(tf.relu(tf.sub(epsilon ** order, used)), channels);
        const inTo = overWindow(cut(powers, to, side));
        const inFrom = overWindow(tf.mul(cut(powers, from, side), outsideOf(to, from, side)));
        const bumps = tf.mul(tf.tensor4d(pattern, [1, side, side, 1]), tf.tensor4d(sign, [n, 1, 1, channels]));
        const fresh = tf.add(bumps, tf.div(cut(delta, to, side), tf.add(root(inTo), tiny)));
        // as in the official code, which counts the budget of l1 once for each channel
        const budget = tf.mul(root(tf.add(spare, tf.add(inTo, inFrom))), sparse ? channels : 1);
        const patch = tf.mul(fresh, tf.div(budget, tf.add(root(overWindow(power(fresh))), tiny)));
        const placed = tf.pad(patch as tf.Tensor4D, [
          [0, 0],
          [to[0], height - side - to[0]],
          [to[1], width - side - to[1]],
          [0, 0],
        ]);
        return place(images, tf.add(tf.mul(delta, elsewhere([to, from], side)), placed));
      });
    },
    points: (delta, images) => tf.tidy(() => clipToPixelRange(tf.add(images, delta))),
  };
}
