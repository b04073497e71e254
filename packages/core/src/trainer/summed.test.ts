import { beforeAll, describe, expect, it } from '@jest/globals';
import { hostSums, sharedRanks, threadCollective, type TensorSums } from '../collective/index.js';
import { useEngine } from '../engine/index.js';
import * as tf from '../tensor/index.js';
import { gradientSums } from './summed.js';

beforeAll(() => useEngine({ use: 'cpu' }));

/** Sums of one rank that write down how many tensors each was begun with, and when it was waited for. */
const noted = (bucketBytes: number) => {
  const seen: string[] = [];
  const sums = hostSums(threadCollective(sharedRanks(1), { rank: 0 }), { bucketBytes });
  const told: TensorSums = {
    ...sums,
    start(tensors) {
      seen.push(`begin ${tensors.length}`);
      const wait = sums.start(tensors);
      return () => {
        seen.push('wait');
        return wait();
      };
    },
  };
  return { seen, sums: told };
};

describe('gradients summed over ranks', () => {
  it.each([
    [Infinity, ['begin 4', 'wait']],
    // 8, 24, 4 and 12 bytes
    [24, ['begin 2', 'begin 2', 'wait', 'wait']],
    [1, ['begin 1', 'begin 1', 'begin 1', 'begin 1', 'wait', 'wait', 'wait', 'wait']],
  ])('begin as soon as %s bytes are there, and are waited for at the end', (bytes, expected) => {
    const before = tf.memory().numTensors;
    const { seen, sums } = noted(bytes);
    const { take, finish } = gradientSums({ sums, counts: true });
    const values = { a: [1, 2], b: [3, 4, 5, 6, 7, 8], c: [9], d: [10, 11, 12] };
    for (const [name, numbers] of Object.entries(values)) take(name, tf.tensor(numbers, [1, numbers.length]));
    const found = finish();
    expect(seen).toEqual(expected);
    expect(Object.fromEntries([...found].map(([name, sum]) => [name, [...sum.dataSync()]]))).toEqual(values);
    expect([...found.values()].map(({ shape }) => shape)).toEqual([[1, 2], [1, 6], [1, 1], [1, 3]]); // prettier-ignore
    tf.dispose([...found.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('are 0 of a rank whose examples do not count, whatever it has found', () => {
    const { take, finish } = gradientSums({ sums: noted(4).sums, counts: false });
    take('a', tf.tensor([NaN, 1]));
    const sum = finish().get('a')!;
    expect([...sum.dataSync()]).toEqual([0, 0]);
    sum.dispose();
  });
});
