import { engine } from '@tensorflow/tfjs-core';
import type { PassCompiler } from '../../passes.js';
import { whyNoBfloat16 } from '../bfloat16.js';
import type { NodeBackend } from '../binding.js';
import { compilePass } from './compile.js';

/**
 * Compiles passes to TensorFlow graphs. Not on GPUs, where the binding's sessions take their tensors through the
 * processor's memory, and not with `BULWARK_EAGER` set. In bfloat16 where the processor has instructions for it. A library that refuses a graph computes op by op.
 * @param options.fusedBatchNorm false: the library's fused op is wrong, so no pass that needs it is compiled
 */
export function tensorflowPassCompiler({ fusedBatchNorm }: { fusedBatchNorm: boolean }): PassCompiler {
  return (request) => {
    const backend = engine().backend as unknown as NodeBackend;
    const fused = request.steps.some(({ node }) => node.op === 'batch-norm');
    if (process.env['BULWARK_EAGER'] || backend.binding.isUsingGpuDevice() || (fused && !fusedBatchNorm))
      return undefined;
    const convolves = request.steps.some(({ node }) => node.op === 'conv');
    if (request.elements === 'bfloat16' && (!convolves || whyNoBfloat16())) return undefined;
    try {
      return compilePass(backend, request);
    } catch {
      return undefined;
    }
  };
}
