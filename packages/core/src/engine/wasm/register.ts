import { backend_util, conv2d, registerKernel, tidy, unregisterKernel, getKernel } from '@tensorflow/tfjs-core';
import type { KernelFunc, NamedAttrMap, NamedTensorInfoMap, Tensor4D } from '@tensorflow/tfjs-core';
import type { Conv2DAttrs, Conv2DFilterGradAttrs, Conv2DInputGradAttrs } from '../ops/index.js';
import { composedFilterGrad, composedInputGrad } from './conv2d-composed.js';
import type { Shape4D } from './conv2d-composed.js';

/** Replaces (or adds) one kernel of the wasm backend. */
function put(kernelName: string, compute: (inputs: Record<string, Tensor4D>, attrs: NamedAttrMap) => Tensor4D): void {
  if (getKernel(kernelName, 'wasm')) unregisterKernel(kernelName, 'wasm');
  const kernelFunc: KernelFunc = ({ inputs, attrs }) =>
    tidy(() => compute(inputs as NamedTensorInfoMap as unknown as Record<string, Tensor4D>, attrs ?? {}));
  registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
}

const square = (attrs: Conv2DAttrs) => ({
  strides: [attrs.stride, attrs.stride] as [number, number],
  top: attrs.padding,
  left: attrs.padding,
});

/** Geometry of TensorFlow.js's own attributes, whichever form of padding they use. */
function stock(inputShape: Shape4D, filterShape: Shape4D, attrs: NamedAttrMap) {
  const { strides, pad, dimRoundingMode } = attrs as {
    strides: [number, number];
    pad: number;
    dimRoundingMode?: 'floor';
  };
  const info = backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad, dimRoundingMode);
  return {
    strides: [info.strideHeight, info.strideWidth] as [number, number],
    top: info.padInfo.top,
    left: info.padInfo.left,
  };
}

/** Registers Bulwark's kernels for the `wasm` backend; safe to call again. */
export function registerWasmKernels(): void {
  put('BulwarkConv2D', ({ x, filter }, attrs) => {
    const { stride, padding } = attrs as unknown as Conv2DAttrs;
    return conv2d(x!, filter!, stride, padding, 'NHWC', 1, 'floor');
  });
  put('BulwarkConv2DInputGrad', ({ dy, filter }, attrs) => {
    const { inputShape, ...rest } = attrs as unknown as Conv2DInputGradAttrs;
    return composedInputGrad(dy!, filter!, { ...square(rest), inputShape });
  });
  put('BulwarkConv2DFilterGrad', ({ x, dy }, attrs) => {
    const { filterShape, ...rest } = attrs as unknown as Conv2DFilterGradAttrs;
    return composedFilterGrad(x!, dy!, { ...square(rest), filterShape });
  });
  put('Conv2DBackpropInput', ({ dy, filter }, attrs) => {
    const inputShape = attrs.inputShape as Shape4D;
    return composedInputGrad(dy!, filter!, { ...stock(inputShape, filter!.shape, attrs), inputShape });
  });
  put('Conv2DBackpropFilter', ({ x, dy }, attrs) => {
    const filterShape = attrs.filterShape as Shape4D;
    return composedFilterGrad(x!, dy!, { ...stock(x!.shape, filterShape, attrs), filterShape });
  });
}
