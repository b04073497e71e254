import { getKernel, registerKernel, zeros } from '../tensor/index.js';

/**
 * Layers models ask for the gradients of their convolution kernels even where only that of the image is wanted, and the stock wasm backend
 * has none. This registers zeros for them where the backend has nothing: right for attacks, in which weights stand still; nothing learns with it.
 */
export function skipKernelGradients(backendName = 'wasm'): void {
  if (getKernel('Conv2DBackpropFilter', backendName)) return;
  registerKernel({
    kernelName: 'Conv2DBackpropFilter',
    backendName,
    kernelFunc: ({ attrs }) => zeros((attrs as unknown as { filterShape: number[] }).filterShape),
  });
}
