import type { Random } from '../../random.js';
import { projectL1InBox, type Norm } from '../../threat/index.js';
import { doubleBump } from './bump.js';

/** Height, width and channels of the images, and the ball. */
export interface Geometry {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly epsilon: number;
}

/** One image and its best point so far, NHWC without the batch. */
export interface Example {
  readonly x: Float32Array;
  readonly best: Float64Array;
}

/**
 * How candidates are made in one norm. Draws are made in the official code's order: those that all images of a batch share
 * (windows, patterns) and those of each image (signs).
 */
export interface Proposals {
  /** First points of a batch of images, overwriting `best`. */
  start(examples: readonly Example[], random: Random): void;
  /** Candidates of one query: writes one row of `into` per example. */
  propose(examples: readonly Example[], side: number, options: { random: Random; into: readonly Float64Array[] }): void;
}

const clip = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
const randomSign = (random: Random) => Math.sign(2 * random.next() - 1);
/** Signs in the order of a tensor `[n, channels, 1, 1]`. */
const signs = (random: Random, count: number) => Float64Array.from({ length: count }, () => randomSign(random));

/** Vertical stripes at the start, then squares of +-2 epsilon per channel, one square for the whole batch (section 3.2). */
export function linfProposals({ height, width, channels, epsilon }: Geometry): Proposals {
  return {
    start(examples, random) {
      const drawn = random.uniform([examples.length, 1, width, channels]);
      const u = drawn.dataSync();
      drawn.dispose();
      examples.forEach(({ x, best }, e) => {
        const stripes = u.subarray(e * width * channels, (e + 1) * width * channels);
        for (let j = 0; j < x.length; j++)
          best[j] = clip(x[j]! + epsilon * Math.sign(2 * stripes[j % stripes.length]! - 1), 0, 1);
      });
    },
    propose(examples, side, { random, into }) {
      const [top, left] = [random.integer(height - side), random.integer(width - side)];
      const sign = signs(random, channels);
      examples.forEach(({ x, best }, e) => {
        const candidate = into[e]!;
        candidate.set(best);
        for (let r = top; r < top + side; r++)
          for (let c = left; c < left + side; c++)
            for (let k = 0; k < channels; k++) {
              const j = (r * width + c) * channels + k;
              const moved = best[j]! + 2 * epsilon * sign[k]!;
              candidate[j] = clip(clip(moved, x[j]! - epsilon, x[j]! + epsilon), 0, 1);
            }
      });
    },
  };
}

/** Keeps a division finite. */
const tiny = 1e-12;

/** Moves bumps of perturbation from one window to another (sections 3.3 and, for l1, Croce and Hein, 2021, appendix). */
export function bumpProposals(norm: Norm, { height, width, channels, epsilon }: Geometry): Proposals {
  const { order, sparse } = norm;
  const power = (value: number) => Math.abs(value) ** order;
  const root = (sum: number) => sum ** (1 / order);
  const total = (values: Float64Array) => values.reduce((sum, value) => sum + power(value), 0);

  /** The image plus the perturbation, brought to the ball's surface (l2) or into the ball (l1). */
  const place = (delta: Float64Array, x: Float32Array, into: Float64Array) => {
    if (sparse) {
      // a little inside: a float32 sum of the result must not exceed epsilon
      projectL1InBox(delta, x, epsilon * (1 - 1e-6));
      for (let j = 0; j < x.length; j++) into[j] = x[j]! + delta[j]!;
      return;
    }
    const scale = epsilon / (root(total(delta)) + tiny);
    for (let j = 0; j < x.length; j++) into[j] = clip(x[j]! + delta[j]! * scale, 0, 1);
  };
  const eachPixel = (
    side: number,
    window: readonly [number, number],
    visit: (index: number, pixel: number) => void,
  ) => {
    for (let r = 0; r < side; r++)
      for (let c = 0; c < side; c++) visit(r * side + c, ((window[0] + r) * width + window[1] + c) * channels);
  };

  return {
    start(examples, random) {
      const side = Math.max(Math.floor(height / 5), 1);
      const offset = Math.max(Math.floor((height - 5 * side) / 2), 0);
      const deltas = examples.map(({ x }) => new Float64Array(x.length));
      for (let row = 0; row < Math.floor(height / side); row++)
        for (let column = 0; column < Math.floor(width / side); column++) {
          const pattern = doubleBump(side, norm, random);
          const sign = signs(random, examples.length * channels);
          deltas.forEach((delta, e) =>
            eachPixel(side, [offset + row * side, offset + column * side], (index, pixel) => {
              for (let k = 0; k < channels; k++) delta[pixel + k]! += pattern[index]! * sign[e * channels + k]!;
            }),
          );
        }
      examples.forEach(({ x, best }, e) => place(deltas[e]!, x, best));
    },
    propose(examples, side, { random, into }) {
      const to = [random.integer(height - side), random.integer(width - side)] as const;
      const from = [random.integer(height - side), random.integer(width - side)] as const;
      const pattern = doubleBump(side, norm, random);
      const sign = signs(random, examples.length * channels);
      const fresh = new Float64Array(side * side);
      examples.forEach(({ x, best }, e) => {
        const delta = best.map((value, j) => value - x[j]!);
        const used = total(delta);
        const spare = Math.max(power(epsilon) - used, 0) / channels;
        const budgets: number[] = [];
        const patches: Float64Array[] = [];
        for (let k = 0; k < channels; k++) {
          let [inTo, inFrom] = [0, 0];
          eachPixel(side, to, (_, pixel) => (inTo += power(delta[pixel + k]!)));
          eachPixel(side, from, (_, pixel) => {
            const [r, c] = [Math.floor(pixel / channels / width), Math.floor(pixel / channels) % width];
            const overlaps = r >= to[0] && r < to[0] + side && c >= to[1] && c < to[1] + side;
            if (!overlaps) inFrom += power(delta[pixel + k]!);
          });
          const oldLength = root(inTo) + tiny;
          eachPixel(side, to, (index, pixel) => {
            fresh[index] = pattern[index]! * sign[e * channels + k]! + delta[pixel + k]! / oldLength;
          });
          // as in the official code, which counts the budget of l1 once for each channel
          budgets.push(root(spare + inTo + inFrom) * (sparse ? channels : 1));
          patches.push(fresh.slice());
        }
        eachPixel(side, from, (_, pixel) => delta.fill(0, pixel, pixel + channels));
        patches.forEach((patch, k) => {
          const scale = budgets[k]! / (root(total(patch)) + tiny);
          eachPixel(side, to, (index, pixel) => (delta[pixel + k] = patch[index]! * scale));
        });
        place(delta, x, into[e]!);
      });
    },
  };
}
