import { exp, expandDims, log, max, mul, neg, sub, sum } from '../tensor/index.js';
import type { Tensor, Tensor1D, Tensor2D } from '../tensor/index.js';
import { defineOp } from './op.js';

const logarithm = defineOp<{ logits: Tensor }, object, Tensor>({
  name: 'BulwarkLogSoftmax',
  composed: ({ logits }) => {
    const shifted = sub(logits, max(logits, 1, true));
    return sub(shifted, log(sum(exp(shifted), 1, true)));
  },
  gradient: {
    outputsToSave: [true],
    of: (dy, saved) => ({ logits: () => sub(dy, mul(exp(saved[0]!), sum(dy, 1, true))) }),
  },
});

/**
 * `z - logsumexp(z)` along classes. The gradient is written out (dy - p * sum dy) because the stock one keeps the input and runs
 * more operations; values are the same.
 * @param logits [batch, classes] float32
 * @returns as logits
 * @example
 * ```ts
 * logSoftmax(
 *   tf.tensor2d([
 *     [0, 0],
 *     [1000, 0],
 *   ]),
 * ); // => [[-0.693147, -0.693147], [0, -1000]]
 * ```
 * @category Losses
 */
export const logSoftmax = (logits: Tensor2D): Tensor2D => logarithm({ logits }, {}) as Tensor2D;

const entropy = defineOp<{ logits: Tensor; targets: Tensor }, object, Tensor>({
  name: 'BulwarkCrossEntropy',
  composed: ({ logits, targets }) => neg(sum(mul(targets, logSoftmax(logits as Tensor2D)), 1)),
  gradient: {
    inputsToSave: ['logits', 'targets'],
    of: (dy, saved) => {
      const [logits, targets] = saved as [Tensor2D, Tensor2D];
      const logProbabilities = () => logSoftmax(logits);
      return {
        // a row of targets need not sum to 1: it is zeros where there is no label
        logits: () => mul(expandDims(dy, 1), sub(mul(exp(logProbabilities()), sum(targets, 1, true)), targets)),
        targets: () => mul(expandDims(dy, 1), neg(logProbabilities())),
      };
    },
  },
});

/**
 * Cross-entropy `-sum_c t_c log softmax(z)_c` of rows of targets; differentiable in both, and twice.
 * @param logits [batch, classes] float32
 * @param targets [batch, classes] float32
 * @returns [batch] float32
 */
export const softmaxCrossEntropy = (logits: Tensor2D, targets: Tensor2D): Tensor1D =>
  entropy({ logits, targets }, {}) as Tensor1D;
