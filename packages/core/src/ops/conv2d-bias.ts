import { add, sum } from '../tensor/index.js';
import type { Tensor, Tensor1D, Tensor4D } from '../tensor/index.js';
import { conv2d, conv2dFilterGrad, conv2dInputGrad } from './conv2d.js';
import type { Conv2DAttrs } from './conv2d.js';
import { defineOp } from './op.js';
import { relu, reluGrad } from './relu.js';

type Inputs = { x: Tensor4D; filter: Tensor4D; bias: Tensor1D };

const gradients = (dz: Tensor4D, [x, filter]: [Tensor4D, Tensor4D], attrs: Conv2DAttrs) => ({
  x: () => conv2dInputGrad({ dy: dz, filter }, { ...attrs, inputShape: x.shape }),
  filter: () => conv2dFilterGrad({ x, dy: dz }, { ...attrs, filterShape: filter.shape }),
  bias: () => sum(dz, [0, 1, 2]),
});

const biased = defineOp<Inputs, Conv2DAttrs, Tensor4D>({
  name: 'BulwarkConv2DBias',
  composed: ({ x, filter, bias }, attrs) => add(conv2d(x, filter, attrs), bias),
  gradient: {
    inputsToSave: ['x', 'filter'],
    of: (dy, saved, attrs) => gradients(dy, saved as [Tensor4D, Tensor4D], attrs),
  },
});

const rectified = defineOp<Inputs, Conv2DAttrs, Tensor4D>({
  name: 'BulwarkConv2DBiasRelu',
  composed: ({ x, filter, bias }, attrs) => relu(add(conv2d(x, filter, attrs), bias) as Tensor4D),
  gradient: {
    inputsToSave: ['x', 'filter'],
    outputsToSave: [true],
    of: (dy, saved: Tensor[], attrs) => {
      const [x, filter, y] = saved as [Tensor4D, Tensor4D, Tensor4D];
      // All three start from it, so it is computed at once; the outer tidy of the backward pass frees it.
      return gradients(reluGrad({ dy, y }, {}) as Tensor4D, [x, filter], attrs);
    },
  },
});

/**
 * `conv2d` plus a bias, and max(., 0) of that if asked for, in one pass over the memory where the engine has a kernel
 * for it; differentiable in x, filter and bias.
 * @param x [batch, height, width, in] float32
 * @param weights filter [kernelHeight, kernelWidth, in, out], bias [out] float32
 * @returns as `conv2d`
 */
export function conv2dBias(
  x: Tensor4D,
  weights: { filter: Tensor4D; bias: Tensor1D },
  options: { stride: number; padding: number; relu: boolean },
): Tensor4D {
  const op = options.relu ? rectified : biased;
  return op({ x, filter: weights.filter, bias: weights.bias }, { stride: options.stride, padding: options.padding });
}
