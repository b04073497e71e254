import type { RunShader } from '../shader.js';
import { putBatchNorm } from '../batch-norm.js';
import { putConvolutions } from './convolution.js';
import { putFilterGradient } from './filter-gradient.js';
import { putInputGradient } from './input-gradient.js';
import { putLeadingSums } from './leading-sums.js';
import { sumInGroups } from './sum-of-rows.js';

/** Kernels for GPUs. */
export function registerHardwareKernels(run: RunShader): void {
  putConvolutions(run);
  putInputGradient(run);
  putFilterGradient(run);
  putLeadingSums(run);
  putBatchNorm(run, sumInGroups);
}
