import { describe } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import {
  type Compute,
  differentiated,
  expectAgreement,
  values,
  whenAvailable as it,
  whole,
} from '../../../test/kit.js';

const of = () => values(2, 3, 4);
const moving: Record<string, [f: (x: tf.Tensor) => tf.Tensor, of: () => tf.Tensor]> = {
  transpose: [(x) => tf.transpose(x, [2, 0, 1]), of],
  'reshape of a transposed one': [(x) => tf.reshape(tf.transpose(x), [6, 4]), of],
  tile: [(x) => tf.tile(x, [2, 1, 3]), of],
  reverse: [(x) => tf.reverse(x, [0, -1]), of],
  broadcastTo: [(x) => tf.broadcastTo(x, [5, 3, 4]), () => values(3, 1)],
  unstack: [(x) => tf.mul(tf.unstack(x, 1)[1]!, 2), of],
  split: [(x) => tf.split(x, [1, 3], -1)[1]!, of],
  slice: [(x) => tf.slice(x, [1, 0, 1], [1, -1, 2]), of],
  pad: [(x) => tf.pad(x, [[1, 2], [0, 1]], 0.5), () => values(2, 3)], // prettier-ignore
  'mirror pad': [(x) => tf.mirrorPad(x, [[1, 1], [0, 2]], 'reflect'), () => values(3, 4)], // prettier-ignore
  spaceToBatch: [(x) => tf.spaceToBatchND(x, [2, 2], [[1, 1], [0, 2]]), () => values(2, 4, 4, 3)], // prettier-ignore
  batchToSpace: [(x) => tf.batchToSpaceND(x, [2, 3], [[1, 0], [0, 2]]), () => values(12, 2, 3, 2)], // prettier-ignore
};
const making: Record<string, Compute> = {
  concat: differentiated(
    (a, b) => tf.concat([a, b], 1),
    () => values(2, 3),
    () => values(2, 4),
  ),
  'concat with nothing': () => [tf.concat([values(2, 0), values(2, 4)], 1), tf.concat([values(0, 4), values(0, 4)], 0)],
  stack: differentiated(
    (a, b) => tf.stack([a, b], 1),
    () => values(2, 3),
    () => values(2, 3),
  ),
  'slices with strides, forwards and backwards': () => {
    const x = values(5, 6);
    return [
      tf.stridedSlice(x, [1, 0], [4, 6], [1, 2]),
      tf.stridedSlice(x, [4, 5], [0, 0], [-2, -3]),
      tf.stridedSlice(x, [0], [1], [1], 0, 0, 0, 0, 1),
      tf.stridedSlice(x, [3, 0], [3, 6], [1, 2]),
    ];
  },
  'mirror pad, edges included': () => tf.mirrorPad(values(3, 4), [[2, 1], [1, 2]], 'symmetric'), // prettier-ignore
  depthToSpace: () => tf.depthToSpace(values(2, 3, 4, 8) as tf.Tensor4D, 2),
  fill: () => [tf.fill([2, 3], 4, 'int32'), tf.zerosLike(whole(3, 4)), tf.onesLike(values(2, 2))],
  range: () => [tf.range(3, 20, 4), tf.range(5, 0, -2, 'int32'), tf.range(5, 1), tf.range(0, 0.9, 0.25)],
  linspace: () => [tf.linspace(-1, 2, 7), tf.linspace(1, 2, 1)],
  diag: () => [tf.diag(values(4)), tf.diag(values(2, 3))],
};

describe('kernels that move elements find what the cpu engine finds:', () => {
  for (const [name, [f, x]] of Object.entries(moving))
    it(`${name}, with its gradient`, () => expectAgreement(differentiated(f, x)));
  for (const [name, compute] of Object.entries(making)) it(name, () => expectAgreement(compute));
});
