import {
  backend_util,
  cast,
  engine,
  greater,
  greaterEqual,
  less,
  lessEqual,
  mul,
  registerGradient,
  reshape,
  sum,
  zerosLike,
} from '../tensor/index.js';
import type { Attribute, Tensor } from '../tensor/index.js';

/** Sums over the axes along which an argument was repeated to the result's shape. */
function likeArgument(gradient: Tensor, argument: Tensor): Tensor {
  const axes = backend_util.getReductionAxes(argument.shape, gradient.shape);
  return reshape(axes.length > 0 ? sum(gradient, axes) : gradient, argument.shape);
}

/** Comparisons are flat; `ThresholdedReLU` multiplies with one. */
for (const kernelName of ['Greater', 'Less', 'LessEqual', 'Equal', 'NotEqual'])
  registerGradient({
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: (_, saved) => {
      const [a, b] = saved as [Tensor, Tensor];
      return { a: () => zerosLike(a), b: () => zerosLike(b) };
    },
  });

/** Those of TensorFlow.js forget that arguments are broadcast; as in those, the first of two equal arguments gets all. */
for (const [kernelName, first, second] of [
  ['Maximum', greaterEqual, less],
  ['Minimum', lessEqual, greater],
] as const)
  registerGradient({
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, saved) => {
      const [a, b] = saved as [Tensor, Tensor];
      const where = (mask: Tensor, argument: Tensor) => () =>
        likeArgument(mul(dy as Tensor, cast(mask, 'float32')), argument);
      return { a: where(first(a, b), a), b: where(second(a, b), b) };
    },
  });

/** The transposed convolution of volumes. */
registerGradient({
  kernelName: 'Conv3DBackpropInputV2',
  inputsToSave: ['dy', 'filter'],
  gradFunc: (slope, saved, attrs) => {
    const [dy, filter] = saved as [Tensor, Tensor];
    const { strides, pad } = attrs as Record<'strides' | 'pad', Attribute>;
    const [dx, filterShape] = [slope as Tensor, filter.shape];
    return {
      dy: () =>
        engine().runKernel('Conv3D', { x: dx, filter }, { strides, pad, dataFormat: 'NDHWC', dilations: 1 }) as Tensor,
      filter: () =>
        engine().runKernel('Conv3DBackpropFilterV2', { x: dx, dy }, { strides, pad, filterShape }) as Tensor,
    };
  },
});
