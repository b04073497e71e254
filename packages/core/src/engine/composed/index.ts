import { getKernel, registerKernel, tidy, unregisterKernel } from '../../tensor/index.js';
import type { Tensor } from '../../tensor/index.js';
import type { ComposedKernel } from './kernel.js';
import { parametricReluKernel } from './parametric-relu.js';
import { bilinearResizingGrad, nearestResizingGrad } from './resizing.js';
import { volumeConvolution, volumeConvolutionFilterGrad, volumeConvolutionInputGrad } from './volume-convolution.js';
import { volumePoolings } from './volume-pooling.js';

/** Right forms of kernels that some engines have wrong or not at all. */
export const composedKernels = {
  parametricRelu: [parametricReluKernel],
  resizing: [nearestResizingGrad, bilinearResizingGrad],
  volumes: [volumeConvolution, volumeConvolutionInputGrad, volumeConvolutionFilterGrad, ...volumePoolings],
} as const;

/** Registers kernels of `composedKernels` for a backend, in place of its own; safe to call again. */
export function registerComposedKernels(backendName: string, kernels: readonly ComposedKernel[]): void {
  for (const { name, compute } of kernels) {
    if (getKernel(name, backendName)) unregisterKernel(name, backendName);
    registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ({ inputs, attrs }) => tidy(() => compute(inputs as Record<string, Tensor>, attrs ?? {})),
    });
  }
}
