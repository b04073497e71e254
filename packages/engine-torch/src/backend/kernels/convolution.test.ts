import { describe } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { differentiated, expectAgreement, values, whenAvailable as it } from '../../../test/kit.js';

type Images = tf.Tensor4D;
type Volumes = tf.Tensor5D;

describe('convolutions find what the cpu engine finds, with gradients:', () => {
  for (const pad of ['same', 'valid', 1] as const)
    for (const stride of [1, 2] as const)
      for (const size of [
        [7, 6],
        [8, 8],
      ] as const) {
        // prettier-ignore
        const how = `${pad === 1 ? 'one zero around' : pad}, stride ${stride}, ${size.join('x')}`;
        const x = () => values(2, ...size, 3);
        it(`of images, ${how}`, () =>
          expectAgreement(
            differentiated(
              (a, w) => tf.conv2d(a as Images, w as Images, stride, pad),
              x,
              () => values(3, 3, 3, 4),
            ),
          ));
        it(`of channels one by one, ${how}`, () =>
          expectAgreement(
            differentiated(
              (a, w) => tf.depthwiseConv2d(a as Images, w as Images, stride, pad),
              x,
              () => values(3, 3, 3, 2),
            ),
          ));
      }
  for (const pad of ['same', 'valid'] as const)
    for (const stride of [1, 2] as const)
      it(`of volumes, ${pad}, stride ${stride}`, () =>
        expectAgreement(
          differentiated(
            (a, w) => tf.conv3d(a as Volumes, w as Volumes, stride, pad),
            () => values(2, 4, 5, 6, 2),
            () => values(2, 3, 3, 2, 3),
          ),
        ));
  it('of 1x1', () =>
    expectAgreement(
      differentiated(
        (x, w) => tf.conv2d(x as Images, w as Images, 2, 'valid'),
        () => values(2, 8, 8, 3),
        () => values(1, 1, 3, 4),
      ),
    ));
  it('of rows', () =>
    expectAgreement(
      differentiated(
        (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 2, 'same'),
        () => values(2, 9, 3),
        () => values(3, 3, 4),
      ),
    ));
  it('transposed', () =>
    expectAgreement(
      differentiated(
        (x, w) => tf.conv2dTranspose(x as Images, w as Images, [2, 8, 8, 3], 2, 'same'),
        () => values(2, 4, 4, 5),
        () => values(3, 3, 3, 5),
      ),
    ));
  it('separable', () =>
    expectAgreement(
      differentiated(
        (x, d, p) => tf.separableConv2d(x as Images, d as Images, p as Images, 1, 'same'),
        () => values(2, 6, 6, 3),
        () => values(3, 3, 3, 2),
        () => values(1, 1, 6, 4),
      ),
    ));
});

describe('convolutions find what the cpu engine finds:', () => {
  const x = () => values(2, 5, 6, 3) as Images;
  const w = () => values(3, 3, 3, 4) as Images;
  it('dilated', () =>
    expectAgreement(() => [
      tf.conv2d(values(2, 9, 8, 3) as Images, w(), 1, 'same', 'NHWC', 2),
      tf.depthwiseConv2d(values(2, 9, 8, 3) as Images, values(3, 3, 3, 2) as Images, 1, 'same', 'NHWC', 2),
    ]));
  it('with zeros told side by side', () => {
    const zeros: [[0, 0], [number, number], [number, number], [0, 0]] = [[0, 0], [2, 0], [1, 3], [0, 0]]; // prettier-ignore
    return expectAgreement(() => tf.conv2d(x(), w(), 1, zeros));
  });
  it('of no images', () => expectAgreement(() => tf.conv2d(values(0, 5, 6, 3) as Images, w(), 1, 'same')));
  it('of volumes, transposed', () =>
    expectAgreement(() =>
      tf.conv3dTranspose(
        values(2, 2, 4, 4, 5) as Volumes,
        values(2, 3, 3, 3, 5) as Volumes,
        [2, 4, 8, 8, 3],
        2,
        'same',
      ),
    ));
  for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid'] as const)
    it(`with a bias and ${activation} in one kernel`, () =>
      expectAgreement(() => {
        const given = { x: x(), strides: 1, pad: 'same', activation } as const;
        return [
          tf.fused.conv2d({ ...given, filter: w(), bias: values(4) }),
          tf.fused.depthwiseConv2d({ ...given, filter: values(3, 3, 3, 2) as Images, bias: values(6) }),
        ];
      }));
});
