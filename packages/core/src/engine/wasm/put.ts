import { getKernel, registerKernel, unregisterKernel } from '../../tensor/index.js';
import type { KernelFunc, TensorInfo } from '../../tensor/index.js';
import type { WasmBackend } from './module.js';

/** Kernels read their inputs and attributes by name; the op that calls them guarantees the names. */
export type Compute<Inputs, Attrs> = (backend: WasmBackend, inputs: Inputs, attrs: Attrs) => TensorInfo | TensorInfo[];

/** Adds one kernel to the wasm backend, or replaces it. */
export function put<Inputs, Attrs>(kernelName: string, compute: Compute<Inputs, Attrs>): void {
  if (getKernel(kernelName, 'wasm')) unregisterKernel(kernelName, 'wasm');
  const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) =>
    compute(backend as unknown as WasmBackend, inputs as unknown as Inputs, attrs as unknown as Attrs);
  registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
}
