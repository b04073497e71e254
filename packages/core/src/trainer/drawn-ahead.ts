import { valuesOf } from '../random-values.js';
import { createRandom, randomFrom, xoshiro128, type Random, type RandomState } from '../random.js';
import * as tf from '../tensor/index.js';

/** A tensor's worth of numbers: uniform in a range, or normal without one. */
interface Draw {
  readonly size: number;
  readonly range?: readonly [number, number];
}

interface Drawn extends Draw {
  readonly values: Float32Array;
  /** Where the stream is afterwards. */
  readonly after: RandomState;
}

const alike = (a: Draw, b: Draw): boolean =>
  a.size === b.size && a.range?.[0] === b.range?.[0] && a.range?.[1] === b.range?.[1];

const streamOf = (seed: number, purpose: string) =>
  xoshiro128(createRandom(seed, purpose).state() as [number, number, number, number]);

/** More than this is not worth keeping beside the batch. */
const mostDraws = 16;

/**
 * Generators with the numbers of `createRandom`, some of which are drawn in advance. A step of training mostly draws what the one before it drew; drawn
 * while a GPU still works on that one, the numbers (10 to 30 ms for 128 images of 32x32x3) are there when it waits for the next.
 */
export class DrawnAhead {
  private ready: { readonly purpose: string; readonly drawn: readonly Drawn[] } | undefined;
  private last: Draw[] = [];

  constructor(private readonly seed: number) {}

  /** How many numbers wait to be asked for. */
  get waiting(): number {
    return this.ready?.drawn.reduce((sum, { size }) => sum + size, 0) ?? 0;
  }

  /** The generator of a purpose. */
  random(purpose: string): Random {
    const stream = streamOf(this.seed, purpose);
    const plain = randomFrom(stream);
    let drawn = this.ready?.purpose === purpose ? [...this.ready.drawn] : [];
    this.ready = undefined;
    const draws: Draw[] = [];
    this.last = draws;
    let foreseeable = true;
    const draw = (shape: readonly number[], given: Draw, otherwise: () => tf.Tensor): tf.Tensor => {
      if (foreseeable && draws.length < mostDraws) draws.push(given);
      const [first, ...rest] = drawn;
      if (!first || !alike(first, given)) {
        drawn = [];
        return otherwise();
      }
      drawn = rest;
      stream.restore(first.after);
      return tf.tensor(first.values, [...shape], 'float32');
    };
    /** What else is drawn is drawn now, and nothing after it is known beforehand. */
    const now = <Arguments extends unknown[], Result>(work: (...given: Arguments) => Result) =>
      ((...given: Arguments) => {
        foreseeable = false;
        drawn = [];
        return work(...given);
      }) as (...given: Arguments) => Result;
    return {
      ...plain,
      next: now(plain.next),
      integer: now(plain.integer),
      permutation: now(plain.permutation),
      restore: now(plain.restore),
      uniform: <S extends tf.Rank>(shape: readonly number[], low = 0, high = 1) =>
        draw(shape, { size: tf.util.sizeFromShape([...shape]), range: [low, high] }, () =>
          plain.uniform(shape, low, high),
        ) as tf.Tensor<S>,
      normal: <S extends tf.Rank>(shape: readonly number[]) =>
        draw(shape, { size: tf.util.sizeFromShape([...shape]) }, () => plain.normal(shape)) as tf.Tensor<S>,
    };
  }

  /** Draws for a purpose what the last one drew. */
  draw(purpose: string): void {
    const stream = streamOf(this.seed, purpose);
    const values = valuesOf(stream);
    const drawn = this.last.map((draw) => ({
      ...draw,
      values: draw.range ? values.uniform(draw.size, ...draw.range) : values.normal(draw.size),
      after: stream.state(),
    }));
    this.ready = { purpose, drawn };
  }
}
