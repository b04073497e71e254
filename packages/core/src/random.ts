import { valuesOf } from './random-values.js';
import * as tf from './tensor/index.js';

// a global is slow to look up inside jest's contexts, and this is used once per random number
const { imul } = Math;

/** State of a generator as plain JSON. */
export type RandomState = readonly number[];

/**
 * Injected randomness. One generator per purpose; the same numbers on every engine, because they are made in JavaScript
 * and only then become tensors. Tests inject recorded noise through the same interface.
 */
export interface Random {
  /** One uniform number in [0, 1), a multiple of 2^-24 (exact in float32). */
  next(): number;
  /** Uniform tensor in [low, high), float32, filled in row-major (NHWC) order, each value from one `next`. */
  uniform<S extends tf.Rank = tf.Rank>(shape: readonly number[], low?: number, high?: number): tf.Tensor<S>;
  /** Standard normal tensor, float32, filled likewise, each value from two `next`. */
  normal<S extends tf.Rank = tf.Rank>(shape: readonly number[]): tf.Tensor<S>;
  /** An integer in [0, below). */
  integer(below: number): number;
  /** A permutation of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Int32Array;
  /** Where the stream is, for `restore`. */
  state(): RandomState;
  /** Goes on from a state. */
  restore(state: RandomState): void;
}

/** A stream of 32-bit words with a serialisable state. */
export interface WordStream {
  /** The next 32 bits, as an unsigned integer. */
  word(): number;
  /** The next words of a whole array; `word` for each where a stream has no faster way. */
  fill?(words: Uint32Array): void;
  /** Where the stream is, for `restore`. */
  state(): RandomState;
  /** Goes on from a state. */
  restore(state: RandomState): void;
}

/**
 * xoshiro128** (Blackman and Vigna, 2018): fast in JavaScript, period 2^128 - 1. The four words must not all be 0.
 * @example
 * ```ts
 * const stream = xoshiro128([1, 2, 3, 4]);
 * stream.word(); // => 11520
 * stream.word(); // => 0
 * ```
 * @category Random numbers
 */
export function xoshiro128(seed: readonly [number, number, number, number]): WordStream {
  let [a, b, c, d] = seed;
  return {
    word() {
      const mixed = imul(b, 5);
      const result = imul((mixed << 7) | (mixed >>> 25), 9);
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
      return result >>> 0;
    },
    // the same lines: variables of a closure would be read and written at each word
    fill(words) {
      let [e, f, g, h] = [a, b, c, d];
      for (let i = 0; i < words.length; i++) {
        const mixed = imul(f, 5);
        words[i] = imul((mixed << 7) | (mixed >>> 25), 9);
        const t = f << 9;
        g ^= e;
        h ^= f;
        f ^= g;
        e ^= h;
        g ^= t;
        h = (h << 11) | (h >>> 21);
      }
      [a, b, c, d] = [e, f, g, h];
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
    restore(state) {
      [a, b, c, d] = state.map((word) => word | 0) as [number, number, number, number];
    },
  };
}

/**
 * mulberry32: the stream of the golden files, so that recorded attack runs replay draw by draw.
 * @example
 * ```ts
 * mulberry32(1).word(); // => 2693262067
 * ```
 * @category Random numbers
 */
export function mulberry32(seed: number): WordStream {
  let a = seed | 0;
  return {
    word() {
      a = (a + 0x6d2b79f5) | 0;
      let t = imul(a ^ (a >>> 15), 1 | a);
      t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (t ^ (t >>> 14)) >>> 0;
    },
    state: () => [a >>> 0],
    restore: (state) => void (a = state[0]! | 0),
  };
}

/** Reorders an `[n, h, w, c]` buffer that was filled channel plane by channel plane ([n, c, h, w]). */
function planesToPixels(planes: Float32Array, shape: readonly number[]): Float32Array {
  const [n, h, w, c] = shape as [number, number, number, number];
  const pixels = new Float32Array(planes.length);
  let from = 0;
  for (let i = 0; i < n; i++)
    for (let k = 0; k < c; k++) for (let p = 0; p < h * w; p++) pixels[(i * h * w + p) * c + k] = planes[from++]!;
  return pixels;
}

/**
 * A generator over a word stream. With `imageOrder: 'nchw'`, rank-4 tensors are filled channel plane by channel plane, as
 * PyTorch fills them, and then laid out as NHWC.
 * @example
 * ```ts
 * const random = randomFrom(mulberry32(1));
 * random.uniform([2]); // => [0.627074, 0.002736]
 * ```
 * @category Random numbers
 */
export function randomFrom(stream: WordStream, options: { imageOrder?: 'nhwc' | 'nchw' } = {}): Random {
  const next = () => (stream.word() >>> 8) / 16777216;
  const values = valuesOf(stream);
  const tensorOf = (values: Float32Array, shape: readonly number[]) => {
    const ordered = options.imageOrder === 'nchw' && shape.length === 4 ? planesToPixels(values, shape) : values;
    return tf.tensor(ordered, [...shape], 'float32');
  };
  const integer = (below: number) => Math.floor(next() * below);
  return {
    next,
    uniform: <S extends tf.Rank>(shape: readonly number[], low = 0, high = 1) =>
      tensorOf(values.uniform(tf.util.sizeFromShape([...shape]), low, high), shape) as tf.Tensor<S>,
    normal: <S extends tf.Rank>(shape: readonly number[]) =>
      tensorOf(values.normal(tf.util.sizeFromShape([...shape])), shape) as tf.Tensor<S>,
    integer,
    permutation(n) {
      const order = new Int32Array(n);
      for (let i = 0; i < n; i++) order[i] = i;
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
    state: () => stream.state(),
    restore: (state) => stream.restore(state),
  };
}

/**
 * What a generator draws for some examples of a batch, as if it drew for the whole batch: of tensors whose first dimension is their number
 * (or a multiple: one block after the other) the rows of these examples, of all else the same for every part.
 * @param part position of the first example, how many there are, and how many the whole batch has
 * @example
 * ```ts
 * // rows 2 and 3 of what a batch of four draws
 * const all = createRandom(1, 'attack').uniform([4, 3]);
 * const part = randomOfPart(createRandom(1, 'attack'), { from: 2, count: 2, total: 4 }).uniform([2, 3]);
 * tf.sub(part, tf.slice(all, [2, 0])); // => [[0, 0, 0], [0, 0, 0]]
 * ```
 * @category Random numbers
 */
export function randomOfPart(random: Random, part: { from: number; count: number; total: number }): Random {
  const { from, count, total } = part;
  if (count === total) return random;
  const skip = (draws: number) => {
    for (let i = 0; i < draws; i++) random.next();
  };
  /** Draws a tensor; `perValue` is how often it calls `next` for each value. */
  const rows = <S extends tf.Rank>(shape: readonly number[], perValue: number, draw: (s: number[]) => tf.Tensor) => {
    const [first = 1, ...rest] = shape;
    if (shape.length === 0 || first === 0 || first % count !== 0) return draw([...shape]) as tf.Tensor<S>;
    const row = perValue * rest.reduce((size, n) => size * n, 1);
    const blocks = Array.from({ length: first / count }, () => {
      skip(from * row);
      const block = draw([count, ...rest]);
      skip((total - from - count) * row);
      return block;
    });
    if (blocks.length === 1) return blocks[0] as tf.Tensor<S>;
    const all = tf.concat(blocks);
    tf.dispose(blocks);
    return all as tf.Tensor<S>;
  };
  return {
    ...random,
    uniform: <S extends tf.Rank>(shape: readonly number[], low = 0, high = 1) =>
      rows<S>(shape, 1, (s) => random.uniform(s, low, high)),
    normal: <S extends tf.Rank>(shape: readonly number[]) => rows<S>(shape, 2, (s) => random.normal(s)),
  };
}

/** 32-bit FNV-1a of a string, finished with splitmix32's mixer. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = imul(h ^ text.charCodeAt(i), 0x01000193);
  h = imul(h ^ (h >>> 16), 0x21f0aaad);
  h = imul(h ^ (h >>> 15), 0x735a2d97);
  return h ^ (h >>> 15);
}

/**
 * The generator of one purpose of a run with this seed. Purposes are addresses such as `initialisation`,
 * `shuffling/3` (epoch) or `attack/3/17` (epoch, step): any position of a run can be replayed from its name alone.
 * @example
 * ```ts
 * // the same address gives the same numbers, at any time
 * const [one, two] = [createRandom(1, 'attack/3/17'), createRandom(1, 'attack/3/17')];
 * tf.sub(one.uniform([2]), two.uniform([2])); // => [0, 0]
 * ```
 * @category Random numbers
 */
export function createRandom(seed: number, purpose = ''): Random {
  const word = (salt: number) => hash(`${salt}:${seed}/${purpose}`);
  return randomFrom(xoshiro128([word(1), word(2), word(3), word(4) | 1]));
}

const zeros = <S extends tf.Rank>(shape: readonly number[]) => tf.zeros<tf.Rank>([...shape] as never) as tf.Tensor<S>;

/**
 * Draws nothing but zeros, at once: for weights that a file or a checkpoint is about to replace.
 * @example
 * ```ts
 * blankRandom.uniform([2]); // => [0, 0]
 * ```
 * @category Random numbers
 */
export const blankRandom: Random = {
  next: () => 0,
  uniform: zeros,
  normal: zeros,
  integer: () => 0,
  permutation: (n) => Int32Array.from({ length: n }, (_, i) => i),
  state: () => [],
  restore: () => undefined,
};
