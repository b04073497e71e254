import { getKernel } from '@tensorflow/tfjs-core';
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { Conv2DAttrs, Conv2DInputGradAttrs } from '@bulwark/core/engine';
import { put } from '../shader.js';

/**
 * Padding that the stock shaders do themselves: no padded copy of the images, no cut-out of their gradient. As one number it
 * would be right for square filters only.
 */
const stockAttributes = ({ stride, padding }: Conv2DAttrs): NamedAttrMap => ({
  strides: [stride, stride],
  pad: [
    [0, 0],
    [padding, padding],
    [padding, padding],
    [0, 0],
  ],
  dilations: [1, 1],
  dataFormat: 'NHWC',
  dimRoundingMode: 'floor',
});

/** Registers a kernel that is one of TensorFlow.js's own with other attributes. */
function putAs(kernelName: string, stockName: string, more: (attrs: Conv2DAttrs) => NamedAttrMap = () => ({})): void {
  const { kernelFunc } = getKernel(stockName, 'webgpu')!;
  put(kernelName, ({ inputs, attrs, backend }) => {
    const given = attrs as unknown as Conv2DAttrs;
    return kernelFunc({ inputs, backend, attrs: { ...stockAttributes(given), ...more(given) } }) as TensorInfo;
  });
}

/** Convolutions and their gradient in the images by TensorFlow.js's shaders, bias and ReLU in the same shader. */
export function putConvolutions(): void {
  putAs('BulwarkConv2D', 'Conv2D');
  putAs('BulwarkConv2DBias', 'FusedConv2D', () => ({ activation: 'linear' }));
  putAs('BulwarkConv2DBiasRelu', 'FusedConv2D', () => ({ activation: 'relu' }));
  putAs('BulwarkConv2DInputGrad', 'Conv2DBackpropInput', (attrs) => ({
    inputShape: [...(attrs as Conv2DInputGradAttrs).inputShape],
  }));
}
