import { describe, expect } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, on, values, whenAvailable as it, whole } from '../../../test/kit.js';

const all: Record<string, (x: tf.Tensor, axis?: number | number[], keep?: boolean) => tf.Tensor> = {
  sum: tf.sum,
  mean: tf.mean,
  max: tf.max,
  min: tf.min,
};
const of = () => values(2, 3, 4);

describe('reductions find what the cpu engine finds, with gradients:', () => {
  for (const axis of [undefined, 0, -1, [0, 2], [1], []])
    for (const keep of [false, true]) {
      const where = `over ${axis?.toString() ?? 'all axes'}${keep ? ', which are kept' : ''}`;
      for (const [name, f] of Object.entries(all))
        it(`${name} ${where}`, () => expectAgreement(differentiated((x) => f(x, axis, keep), of)));
      it(`product ${where}`, () => expectAgreement(() => tf.prod(of(), axis, keep)));
    }
  it('of whole numbers and truth values', () =>
    expectAgreement(() => {
      const [x, flags] = [whole(9, 3, 5), tf.cast(whole(2, 3, 5), 'bool')];
      return [
        tf.sum(x, 1),
        tf.mean(x, 0),
        tf.max(x, 1),
        tf.prod(x, 1),
        tf.sum(tf.cast(flags, 'int32'), 0),
        tf.any(flags, 1),
        tf.all(flags, [0]),
      ];
    }));
  it('argMax and argMin, the first of equal ones', () =>
    expectAgreement(() => {
      const x = whole(3, 4, 20);
      return [tf.argMax(x, 1), tf.argMin(x, 0), tf.argMax(tf.cast(x, 'float32'), -1)];
    }));
  it('running sums', () =>
    expectAgreement(
      differentiated(
        (x) => tf.cumsum(x, 1, true, true),
        () => values(3, 5),
      ),
    ));
  it('running sums and products, forwards and backwards', () =>
    expectAgreement(() =>
      [false, true].flatMap((exclusive) =>
        [false, true].flatMap((reverse) => [
          tf.cumsum(of(), 2, exclusive, reverse),
          tf.cumprod(of(), 2, exclusive, reverse),
          tf.cumsum(whole(9, 4), 0, exclusive, reverse),
        ]),
      ),
    ));
  it('running sums along other axes than the last, which the cpu engine gives in another shape', async () => {
    const { results } = await on('torch', () => {
      const x = of();
      const turned = tf.transpose(tf.cumsum(tf.transpose(x, [0, 2, 1]), -1), [0, 2, 1]);
      return [tf.cumsum(x, 1), turned];
    });
    expect(results[0]).toEqual(results[1]);
  });
  it('variances, of which layer normalisation is made', () =>
    expectAgreement(differentiated((x) => tf.moments(x, [1, 2]).variance, of)));
  it('logSumExp', () => expectAgreement(differentiated((x) => tf.logSumExp(x, 1), of)));
});
