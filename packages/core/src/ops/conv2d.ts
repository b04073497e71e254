import { conv2d as stockConv2d, engine, pad, slice } from '../tensor/index.js';
import type { NamedAttrMap, Tensor4D } from '../tensor/index.js';
import { defineOp } from './op.js';

type Shape4D = [number, number, number, number];

/** Attributes of the three convolution kernels (`BulwarkConv2D`, `...InputGrad`, `...FilterGrad`). */
export interface Conv2DAttrs {
  readonly stride: number;
  /** Zeros added on each of the four sides, as in PyTorch. */
  readonly padding: number;
}
export interface Conv2DInputGradAttrs extends Conv2DAttrs {
  readonly inputShape: Shape4D;
}
export interface Conv2DFilterGradAttrs extends Conv2DAttrs {
  readonly filterShape: Shape4D;
}

/** Images with zeros on all four sides. Numeric padding is refused by tfjs-node's gradients, so composed forms pad by themselves. */
export const padded = (x: Tensor4D, padding: number): Tensor4D =>
  padding === 0
    ? x
    : pad(x, [
        [0, 0],
        [padding, padding],
        [padding, padding],
        [0, 0],
      ]);

const stockAttrs = (stride: number): NamedAttrMap => ({ strides: [stride, stride], pad: 'valid', dataFormat: 'NHWC' });

/** Gradient of `conv2d` with respect to x, `inputShape`. */
export const conv2dInputGrad = defineOp<{ dy: Tensor4D; filter: Tensor4D }, Conv2DInputGradAttrs, Tensor4D>({
  name: 'BulwarkConv2DInputGrad',
  composed: ({ dy, filter }, { stride, padding, inputShape }) => {
    const [batch, height, width, channels] = inputShape;
    const paddedShape: Shape4D = [batch, height + 2 * padding, width + 2 * padding, channels];
    const dx = engine().runKernel(
      'Conv2DBackpropInput',
      { dy, filter },
      { ...stockAttrs(stride), inputShape: paddedShape },
    ) as Tensor4D;
    return padding === 0 ? dx : slice(dx, [0, padding, padding, 0], inputShape);
  },
});

/** Gradient of `conv2d` with respect to the filter, `filterShape`. */
export const conv2dFilterGrad = defineOp<{ x: Tensor4D; dy: Tensor4D }, Conv2DFilterGradAttrs, Tensor4D>({
  name: 'BulwarkConv2DFilterGrad',
  composed: ({ x, dy }, { stride, padding, filterShape }) =>
    engine().runKernel(
      'Conv2DBackpropFilter',
      { x: padded(x, padding), dy },
      { ...stockAttrs(stride), filterShape },
    ) as Tensor4D,
});

const convolution = defineOp<{ x: Tensor4D; filter: Tensor4D }, Conv2DAttrs, Tensor4D>({
  name: 'BulwarkConv2D',
  composed: ({ x, filter }, { stride, padding }) => stockConv2d(padded(x, padding), filter, stride, 'valid'),
  gradient: {
    inputsToSave: ['x', 'filter'],
    of: (dy, saved, attrs) => {
      const [x, filter] = saved as [Tensor4D, Tensor4D];
      return {
        x: () => conv2dInputGrad({ dy, filter }, { ...attrs, inputShape: x.shape }),
        filter: () => conv2dFilterGrad({ x, dy }, { ...attrs, filterShape: filter.shape }),
      };
    },
  },
});

/**
 * Two-dimensional convolution (cross-correlation) with symmetric zero padding; differentiable in both arguments.
 * @param x [batch, height, width, in] float32
 * @param filter [kernelHeight, kernelWidth, in, out] float32
 * @returns [batch, (height + 2 padding - kernelHeight) / stride + 1 rounded down, likewise for width, out] float32
 */
export function conv2d(x: Tensor4D, filter: Tensor4D, options: { stride: number; padding: number }): Tensor4D {
  return convolution({ x, filter }, { stride: options.stride, padding: options.padding });
}
