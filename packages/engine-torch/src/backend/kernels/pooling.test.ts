import { describe } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, expectTrueGradient, values, whenAvailable as it } from '../../../test/kit.js';

type Pair = [number, number];
const windows: [Pair | number, Pair | number][] = [[2, 2], [3, 2], [3, 1], [[2, 3], [1, 2]]]; // prettier-ignore
const images = () => values(2, 7, 8, 5);
const volumes = () => values(2, 4, 7, 6, 3);

describe('pooling finds what the cpu engine finds:', () => {
  for (const pad of ['same', 'valid', 1] as const)
    for (const [window, stride] of windows) {
      if (pad === 1 && typeof window !== 'number') continue; // TensorFlow.js takes the height's for both sides there
      const how = `of ${window.toString()} by ${stride.toString()}, ${pad === 1 ? 'one zero around' : pad}`;
      const rounding = pad === 1 ? 'floor' : undefined;
      const max = (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, window, stride, pad, rounding);
      const avg = (x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, window, stride, pad, rounding);
      it(`maxima ${how}, with the gradient`, () => expectAgreement(differentiated(max, images)));
      it(`means ${how}`, () => expectAgreement(() => avg(images())));
      // the cpu engine divides by the whole window also where that is partly outside of the image
      it(`the gradient of means ${how} is true`, () => expectTrueGradient(avg, images));
    }
  for (const pad of ['same', 'valid'] as const) {
    const max = (x: tf.Tensor) => tf.maxPool3d(x as tf.Tensor5D, [2, 3, 2], [1, 2, 2], pad);
    const avg = (x: tf.Tensor) => tf.avgPool3d(x as tf.Tensor5D, [2, 3, 2], [1, 2, 2], pad);
    it(`maxima of volumes, ${pad}`, () => expectAgreement(() => max(volumes())));
    it(`means of volumes, ${pad}`, () => expectAgreement(() => avg(volumes())));
    it(`the gradients of both are true, ${pad}`, async () => {
      await expectTrueGradient(max, volumes);
      await expectTrueGradient(avg, volumes);
    });
  }
  it('global means, with their gradient', () => expectAgreement(differentiated((x) => tf.mean(x, [1, 2]), images)));
});
