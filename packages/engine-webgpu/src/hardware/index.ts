import type { RunShader } from '../shader.js';
import { putConvolutions } from './convolution.js';
import { putFilterGradient } from './filter-gradient.js';
import { putLeadingSums } from './leading-sums.js';

/** Kernels for GPUs. */
export function registerHardwareKernels(run: RunShader): void {
  putConvolutions();
  putFilterGradient(run);
  putLeadingSums(run);
}
