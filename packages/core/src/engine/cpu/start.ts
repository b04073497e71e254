import '#tensorflow-cpu';
import { findBackend, setBackend } from '../../tensor/index.js';
import { repairAveragePoolGradient } from '../average-pool-gradient.js';
import { composedKernels, registerComposedKernels } from '../composed/index.js';

/** Makes the `cpu` backend current, with kernels of ours for its wrong ones, and without the advertisement that it prints at its first tensor. */
export async function startCpu(): Promise<boolean> {
  const { resizing, volumes } = composedKernels;
  registerComposedKernels('cpu', [...resizing, ...volumes]);
  const started = await setBackend('cpu');
  repairAveragePoolGradient('cpu');
  (findBackend('cpu') as unknown as { firstUse: boolean }).firstUse = false;
  return started;
}
