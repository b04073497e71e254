import type { RunShader } from '../shader.js';
import { putBatchNormEval } from '../batch-norm.js';
import { putBatchNormTrain } from './batch-norm.js';
import { putConvolutions } from './convolution.js';
import { putFilterGradient } from './filter-gradient.js';
import { putInputGradient } from './input-gradient.js';
import { putLeadingSums } from './leading-sums.js';

/** Kernels for GPUs. */
export function registerHardwareKernels(run: RunShader): void {
  putConvolutions(run);
  putInputGradient(run);
  putFilterGradient(run);
  putLeadingSums(run);
  putBatchNormEval(run);
  putBatchNormTrain(run);
}
