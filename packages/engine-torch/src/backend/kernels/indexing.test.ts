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

const numbers = (rows: number[][]): tf.Tensor2D => tf.tensor2d(rows, [rows.length, rows[0]!.length], 'int32');

const cases: Record<string, Compute> = {
  'gather, with its gradient': differentiated(
    (x) => tf.gather(x, tf.tensor1d([2, 0, 2, 1], 'int32')),
    () => values(3, 4),
  ),
  'gather along an axis, in two axes of numbers': () => tf.gather(values(2, 5, 3), numbers([[4, 0], [1, 1]]), 1), // prettier-ignore
  'gather batch by batch': () => tf.gather(values(2, 5, 3), numbers([[4, 0, 2], [1, 1, 3]]), 1, 1), // prettier-ignore
  'gather batch by batch behind an axis': () => tf.gather(values(2, 4, 5, 3), whole(5, 2, 6), 2, 1),
  gatherND: () => tf.gatherND(values(3, 4, 5), numbers([[2, 1], [0, 3], [1, 1]])), // prettier-ignore
  scatterND: () => tf.scatterND(numbers([[4], [1], [4]]), values(3, 2), [6, 2]),
  tensorScatterUpdate: () => tf.tensorScatterUpdate(values(6, 2), numbers([[4], [1]]), values(2, 2)),
  sparseToDense: () => [
    tf.sparseToDense(numbers([[0, 1], [2, 3]]), tf.tensor1d([5, 6]), [3, 4], tf.scalar(-1)), // prettier-ignore
    tf.sparseToDense(tf.tensor1d([1, 3], 'int32'), tf.scalar(7), [5], tf.scalar(0)),
  ],
  unsortedSegmentSum: () => tf.unsortedSegmentSum(values(4, 3), tf.tensor1d([2, 0, 2, 5], 'int32'), 4),
  'unsortedSegmentSum, with its gradient': differentiated(
    (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2, 1], 'int32'), 4),
    () => values(4, 3),
  ),
  oneHot: () => [tf.oneHot(whole(5, 7) as tf.Tensor1D, 5), tf.oneHot(whole(5, 2, 3), 4, 0.9, -0.1, 'float32')],
  'topk, the first of equal ones first': () => {
    const { values: most, indices } = tf.topk(whole(4, 3, 12), 5);
    return [most, indices];
  },
  bincount: () => [
    tf.bincount(whole(6, 40) as tf.Tensor1D, tf.tensor1d([]), 6),
    tf.bincount(whole(6, 20) as tf.Tensor1D, values(20) as tf.Tensor1D, 5),
  ],
  denseBincount: () => {
    const x = whole(6, 4, 9) as tf.Tensor2D;
    const none = tf.tensor2d([], [4, 0]);
    return [tf.denseBincount(x, none, 6), tf.denseBincount(x, none, 6, true)];
  },
  searchSorted: () => {
    const sorted = tf.tensor2d([[0, 1, 1, 3], [2, 4, 4, 9]]); // prettier-ignore
    const wanted = tf.tensor2d([[1, 0.5, 7], [4, 2, 10]]); // prettier-ignore
    return [tf.searchSorted(sorted, wanted), tf.searchSorted(sorted, wanted, 'right')];
  },
};

describe('kernels that pick elements find what the cpu engine finds:', () => {
  for (const [name, compute] of Object.entries(cases)) it(name, () => expectAgreement(compute));
});
