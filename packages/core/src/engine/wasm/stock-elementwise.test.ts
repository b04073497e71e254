import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../index.js';

beforeAll(() => useEngine('wasm'));

const numbers = [
  ...[0, 1e-38, 1e-30, 1e-8, 1.19e-7, 1e-3, 0.4999, 0.5, 1, 1.5, 2.5, 3, 6, 7, 20, 88, 1e4, 1e10, 3e38, Infinity],
].flatMap((x) => [x, -x]);
const values = [...numbers, NaN].map(Math.fround);

/** Within float32's rounding, or that of the backend's polynomials near 0; NaN, infinities and their signs exactly. */
const near = (found: number, expected: number): boolean =>
  Object.is(found, expected) ||
  found === expected ||
  Math.abs(found - expected) <= Math.max(4e-7, 1e-5 * Math.abs(expected));

/** What differs, as `inputs: found, not expected`. */
const differences = (found: ArrayLike<number>, expected: readonly number[], inputs: readonly unknown[]): string[] =>
  expected.flatMap((value, i) =>
    near(found[i]!, Math.fround(value)) ? [] : [`${String(inputs[i])}: ${found[i]}, not ${value}`],
  );

const half = (x: number): number => {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
};
const clip = (x: number, low: number, high: number) => (Number.isNaN(x) ? NaN : Math.min(Math.max(x, low), high));
const softplus = (x: number) => (x > 30 ? x : Math.log1p(Math.exp(x)));

describe("stock elementwise kernels, ours where the backend's are wrong", () => {
  it.each<[string, (x: tf.Tensor) => tf.Tensor, (x: number) => number]>([
    ['abs', tf.abs, Math.abs],
    ['ceil', tf.ceil, Math.ceil],
    ['floor', tf.floor, Math.floor],
    ['round', tf.round, half],
    ['sign', tf.sign, (x) => (x > 0 ? 1 : x < 0 ? -1 : 0)],
    ['neg', tf.neg, (x) => -x],
    ['exp', tf.exp, Math.exp],
    ['log', tf.log, Math.log],
    ['log1p', tf.log1p, Math.log1p],
    ['sqrt', tf.sqrt, Math.sqrt],
    ['square', tf.square, (x) => x * x],
    ['tanh', tf.tanh, Math.tanh],
    ['sigmoid', tf.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
    ['relu', tf.relu, (x) => clip(x, 0, Infinity)],
    ['relu6', tf.relu6, (x) => clip(x, 0, 6)],
    ['clipByValue', (x) => tf.clipByValue(x, -1, 2), (x) => clip(x, -1, 2)],
    ['elu', tf.elu, (x) => (x < 0 ? Math.expm1(x) : x)],
    ['leakyRelu', (x) => tf.leakyRelu(x, 0.2), (x) => (x < 0 ? Math.fround(0.2) * x : x)],
    ['softplus', tf.softplus, softplus],
    ['isNaN', tf.isNaN, (x) => Number(Number.isNaN(x))],
    ['to bool', (x) => tf.cast(x, 'bool'), (x) => Number(x !== 0)],
  ])('%s', (_name, op, expected) => {
    expect(differences(op(tf.tensor1d(values)).dataSync(), values.map(expected), values)).toEqual([]);
  });

  const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
  const operands = () => [tf.tensor1d(pairs.map(([a]) => a)), tf.tensor1d(pairs.map(([, b]) => b))] as const;

  it.each<[string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, (a: number, b: number) => number]>([
    ['add', tf.add, (a, b) => a + b],
    ['sub', tf.sub, (a, b) => a - b],
    ['mul', tf.mul, (a, b) => a * b],
    ['div', tf.div, (a, b) => a / b],
    ['maximum', tf.maximum, Math.max],
    ['minimum', tf.minimum, Math.min],
    ['squaredDifference', tf.squaredDifference, (a, b) => Math.fround(a - b) ** 2],
    ['less', tf.less, (a, b) => Number(a < b)],
    ['greaterEqual', tf.greaterEqual, (a, b) => Number(a >= b)],
    ['equal', tf.equal, (a, b) => Number(a === b)],
    ['notEqual', tf.notEqual, (a, b) => Number(a !== b)],
  ])('%s', (_name, op, expected) => {
    const found = op(...operands()).dataSync();
    expect(differences(found, pairs.map(([a, b]) => expected(a, b)), pairs)).toEqual([]); // prettier-ignore
  });

  it.each([
    [[3], [2, 3]],
    [
      [2, 1],
      [2, 3],
    ],
    [
      [2, 1, 1],
      [1, 4, 1],
    ],
    [[], [3]],
  ])('a maximum keeps NaN when %j is spread over %j', (a, b) => {
    const count = tf.util.sizeFromShape(a);
    const x = tf.tensor([NaN, 1, 2].slice(0, count), a);
    const other = tf.ones(b);
    const expected = tf.where(tf.isNaN(tf.add(x, other)), NaN, tf.add(tf.relu(tf.sub(x, other)), other));
    expect(tf.maximum(x, other).dataSync()).toEqual(expected.dataSync());
    expect(tf.maximum(other, x).dataSync()).toEqual(expected.dataSync());
    expect([...tf.maximum(x, other).dataSync()].some(Number.isNaN)).toBe(true);
  });

  it.each(['float32', 'int32', 'bool'] as const)('oneHot as %s, 0 everywhere for an index beyond', (dtype) => {
    const hot = tf.oneHot(tf.tensor1d([0, 2, 3, -1], 'int32'), 3, 1, 0, dtype);
    expect(hot.dtype).toBe(dtype);
    expect([...tf.cast(hot, 'float32').dataSync()]).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('oneHot with other values', () => {
    const hot = tf.oneHot(tf.tensor2d([[0], [1]], [2, 1], 'int32'), 2, 0.75, 0.25, 'float32');
    expect([hot.shape, [...hot.dataSync()]]).toEqual([[2, 1, 2], [0.75, 0.25, 0.25, 0.75]]); // prettier-ignore
  });

  it('topk takes the first of equals, infinities too', () => {
    const { values: top, indices } = tf.topk(tf.tensor2d([3, 1, 2, 0, 1, 1, 1, 1, -1, -2, Infinity, 0], [3, 4]), 2);
    expect([...top.dataSync()]).toEqual([3, 2, 1, 1, Infinity, 0]);
    expect([...indices.dataSync()]).toEqual([0, 2, 0, 1, 2, 3]);
  });
});
