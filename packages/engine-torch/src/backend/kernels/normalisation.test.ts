import { describe } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, values, whenAvailable as it } from '../../../test/kit.js';

describe('normalisation is that of the cpu engine:', () => {
  it('with given statistics, with gradients', () =>
    expectAgreement(
      differentiated(
        (x, ...given) => {
          const [mean, spread, offset, scale] = given as tf.Tensor1D[];
          const [m, v] = [mean, tf.square(spread!)];
          return tf.batchNorm(x as tf.Tensor4D, m!, v!, offset, scale, 0.01);
        },
        () => values(2, 3, 4, 5),
        ...Array.from({ length: 4 }, () => () => values(5)),
      ),
    ));
  it('without scale and offset, and with statistics of each value, as layer normalisation has them', () =>
    expectAgreement(() => [
      tf.batchNorm(values(2, 3, 4, 5) as tf.Tensor4D, values(5) as tf.Tensor1D, tf.square(values(5)) as tf.Tensor1D),
      tf.batchNorm(values(6, 5) as tf.Tensor2D, values(6, 5) as tf.Tensor2D, tf.square(values(6, 5)) as tf.Tensor2D),
    ]));
  it('of local responses, with the gradient', () =>
    expectAgreement(
      differentiated(
        (x) => tf.localResponseNormalization(x as tf.Tensor4D, 2, 0.9, 1.2, 0.6),
        () => values(2, 3, 4, 7),
      ),
    ));
});
