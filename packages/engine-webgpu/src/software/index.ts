import type { RunShader } from '../shader.js';
import { putBatchNormEval } from '../batch-norm.js';
import { putBatchNormTrain } from './batch-norm.js';
import { putConvolutions } from './convolution.js';
import { putMatrixProduct } from './matrix-product.js';
import { putSums } from './sums.js';

/**
 * Kernels for adapters that compute on the processor. TensorFlow.js's own share tiles of their inputs in workgroup memory; the
 * barriers which that needs cost such an adapter far more than reading anew.
 */
export function registerSoftwareKernels(run: RunShader): void {
  putConvolutions(run);
  putMatrixProduct(run);
  putSums(run);
  putBatchNormEval(run);
  putBatchNormTrain(run);
}
