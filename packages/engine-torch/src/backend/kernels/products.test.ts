import { describe } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, values, whenAvailable as it } from '../../../test/kit.js';

describe('products find what the cpu engine finds:', () => {
  for (const turnA of [false, true])
    for (const turnB of [false, true])
      it(`of matrices${turnA ? ', the first turned' : ''}${turnB ? ', the second turned' : ''}, with gradients`, () =>
        expectAgreement(
          differentiated(
            (a, b) => tf.matMul(a, b, turnA, turnB),
            () => (turnA ? values(5, 3) : values(3, 5)),
            () => (turnB ? values(4, 5) : values(5, 4)),
          ),
        ));
  it('of batches of matrices, with gradients', () =>
    expectAgreement(
      differentiated(
        (a, b) => tf.matMul(a, b),
        () => values(2, 3, 5),
        () => values(2, 5, 4),
      ),
    ));
  it('of many matrices with one', () => expectAgreement(() => tf.matMul(values(2, 3, 5), values(1, 5, 4))));
  it('of vectors, with gradients', () =>
    expectAgreement(
      differentiated(
        (a, b) => tf.dot(a, b),
        () => values(5),
        () => values(5),
      ),
    ));
  it('over named axes', () =>
    expectAgreement(() => [
      tf.einsum('ij,jk->ik', values(3, 4), values(4, 5)),
      tf.einsum('bij,bkj->bik', values(2, 3, 4), values(2, 5, 4)),
    ]));
  for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'prelu', 'leakyrelu'] as const)
    it(`with a bias and ${activation} in one kernel`, () =>
      expectAgreement(() => {
        const preluActivationWeights = activation === 'prelu' ? values(1, 4) : undefined;
        const given = { a: values(3, 5), b: values(5, 4), bias: values(4), preluActivationWeights };
        return tf.fused.matMul({ ...given, activation: activation as 'relu', leakyreluAlpha: 0.3 });
      }));
  for (const f of [tf.softmax, tf.logSoftmax])
    it(`${f === tf.softmax ? 'softmax' : 'log-softmax'}, with its gradient`, () =>
      expectAgreement(
        differentiated(
          (x) => f(tf.mul(x, 20)),
          () => values(6, 10),
        ),
      ));
});
