import { registerBackend } from '@tensorflow/tfjs-core';
import { TorchBackend } from './backend.js';
import { backendName, kernelKit, type Kit } from './kernel.js';
import { registerKernels } from './kernels/index.js';
import type { Native } from './native.js';

export { backendName, type Kit } from './kernel.js';
export type { Handle, Native } from './native.js';

/** Makes the addon TensorFlow.js's backend `torch`, without making it current. Once in a process. */
export function registerTorchBackend(native: Native): Kit {
  const backend = new TorchBackend(native);
  const kit = kernelKit(native, backend);
  registerKernels(kit);
  registerBackend(backendName, () => backend);
  return kit;
}
