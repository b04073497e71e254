import { describe } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, expectTrueGradient, values, whenAvailable as it } from '../../../test/kit.js';

const square = () => values(2, 6, 6, 3);
const oblong = () => values(2, 5, 7, 3);
type Size = [number, number];
const sizes: Size[] = [[4, 9], [10, 6], [5, 7], [1, 1]]; // prettier-ignore
const bilinear = (x: tf.Tensor, size: Size, align = false, half = false): tf.Tensor =>
  tf.image.resizeBilinear(x as tf.Tensor4D, size, align, half);
const nearest = (x: tf.Tensor, size: Size, align = false, half = false): tf.Tensor =>
  tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size, align, half);

describe('images of other sizes are those of the cpu engine:', () => {
  for (const size of sizes)
    for (const align of [false, true]) {
      const how = `to ${size.join('x')}${align ? ', corners aligned' : ''}`;
      it(`bilinear ${how}, with the gradient`, () =>
        expectAgreement(differentiated((x) => bilinear(x, size, align), square)));
      it(`nearest ${how}`, () =>
        expectAgreement(() => [nearest(square(), size, align), nearest(oblong(), size, align)]));
    }
  for (const size of sizes)
    it(`with half-pixel centres, to ${size.join('x')}`, () =>
      expectAgreement(() => [bilinear(oblong(), size, false, true), nearest(oblong(), size, false, true)]));
  // the cpu engine's take no notice of half-pixel centres, mix up height and width, or leave out parts
  for (const size of sizes)
    for (const [align, half] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const)
      // prettier-ignore
      it(`the gradients are true, to ${size.join('x')}, ${align ? 'corners aligned' : half ? 'half-pixel centres' : 'plain'}`, async () => {
        await expectTrueGradient((x) => bilinear(x, size, align, half), oblong);
        await expectTrueGradient((x) => nearest(x, size, align, half), oblong);
      });
  for (const method of ['bilinear', 'nearest'] as const)
    for (const size of [
      [3, 4],
      [1, 1],
    ] as Size[])
      // prettier-ignore
      it(`cut out, ${method}, to ${size.join('x')}`, () =>
        expectAgreement(() => {
          const boxes = tf.tensor2d([[0.1, 0.2, 0.8, 0.9], [-0.2, 0, 1.1, 0.5], [0, 0, 1, 1]]); // prettier-ignore
          const which = tf.tensor1d([1, 0, 1], 'int32');
          return tf.image.cropAndResize(oblong() as tf.Tensor4D, boxes, which, size, method, 0.25);
        }));
  it('mirrored', () => expectAgreement(() => tf.image.flipLeftRight(oblong() as tf.Tensor4D)));
});
