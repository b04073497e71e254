import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../index.js';

beforeAll(() => useEngine('wasm'));

describe('gather on wasm', () => {
  const numbers = Float32Array.from({ length: 60 }, (_, i) => (i === 7 ? NaN : i === 8 ? -0 : Math.sin(i)));
  const rows = (width: number) => (places: readonly number[]) =>
    places.flatMap((place) => [...numbers.subarray(place * width, (place + 1) * width)]);

  it.each<[string, number[], number[]]>([
    ['images', [5, 3, 2, 2], [4, 0, 0, 2]],
    ['numbers', [60], [59, 7, 8, 7]],
    ['one row', [1, 60], [0, 0, 0]],
    ['no row', [5, 12], []],
    ['all of them', [5, 12], [0, 1, 2, 3, 4]],
  ])('takes %s as they are, NaN and signs of zero with them', (_name, shape, places) => {
    const x = tf.tensor(numbers, shape);
    const before = tf.memory().numTensors;
    const found = tf.tidy(() => tf.gather(x, tf.tensor1d(places, 'int32')));
    expect(found.shape).toEqual([places.length, ...shape.slice(1)]);
    expect([...found.dataSync()]).toEqual(rows(60 / shape[0]!)(places));
    found.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it("leaves the backend's own where values are not floats, or not whole rows are taken", () => {
    const whole = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32');
    const floats = tf.cast(whole, 'float32');
    expect([...tf.gather(whole, tf.tensor1d([1], 'int32')).dataSync()]).toEqual([4, 5, 6]);
    expect([...tf.gather(floats, tf.tensor1d([2, 0], 'int32'), 1).dataSync()]).toEqual([3, 1, 6, 4]);
    const table = tf.tensor2d([1, 0], [1, 2], 'int32');
    expect(tf.gather(floats, table).arraySync()).toEqual([
      [
        [4, 5, 6],
        [1, 2, 3],
      ],
    ]);
  });

  it.each([-1, 5])('refuses the index %d of 5 rows', (place) => {
    expect(() => tf.gather(tf.ones([5, 2]), tf.tensor1d([0, place], 'int32'))).toThrow(/not in \[0, 4\]/);
  });
});
