import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine } from '../engine/index.js';
import { createRandom, type Random } from '../random.js';
import * as tf from '../tensor/index.js';
import { DrawnAhead } from './drawn-ahead.js';

beforeAll(async () => void (await useEngine('cpu')));

/** What some steps draw; each may draw otherwise than the one before it. */
const steps: ((random: Random) => tf.Tensor[])[] = [
  (random) => [random.uniform([2, 3], -1, 1), random.normal([5])],
  (random) => [random.uniform([2, 3], -1, 1), random.normal([5])],
  (random) => [random.uniform([2, 3], -1, 1), random.normal([4])], // another shape
  (random) => [random.normal([4])], // fewer
  (random) => [random.normal([4]), tf.tensor([random.next(), random.integer(100)]), random.normal([4])],
  (random) => [random.normal([4]), tf.tensor([random.next()]), random.normal([4])],
  (random) => [random.normal([4]), tf.tensor([...random.permutation(3)]), tf.tensor([...random.state()])],
  (random) => {
    const state = random.state();
    const first = random.normal([4]);
    random.restore(state);
    return [first, random.normal([4])];
  },
];
const numbersOf = (tensors: tf.Tensor[]) => tensors.map((tensor) => [...tensor.dataSync()]);

describe('numbers drawn in advance', () => {
  it('are those of createRandom, whatever the step before drew', () => {
    const ahead = new DrawnAhead(3);
    steps.forEach((draw, i) => {
      expect(numbersOf(draw(ahead.random(`attack/0/${i}`)))).toEqual(numbersOf(draw(createRandom(3, `attack/0/${i}`))));
      ahead.draw(`attack/0/${i + 1}`);
    });
  });

  it('are not taken for another step', () => {
    const ahead = new DrawnAhead(3);
    steps[0]!(ahead.random('attack/0/0'));
    ahead.draw('attack/0/1');
    expect(numbersOf(steps[0]!(ahead.random('attack/1/0')))).toEqual(
      numbersOf(steps[0]!(createRandom(3, 'attack/1/0'))),
    );
  });

  it('are as many as the last step drew, up to its first draw of another kind', () => {
    const ahead = new DrawnAhead(3);
    for (const [i, expected] of [11, 11, 10, 4, 4, 4, 4, 4].entries()) {
      tf.dispose(steps[i]!(ahead.random(`attack/0/${i}`)));
      ahead.draw(`attack/0/${i + 1}`);
      expect(ahead.waiting).toBe(expected);
    }
  });
});
