import { BulwarkError } from '../../errors.js';
import type { NativeBinding } from './binding.js';

const outOfMemory = /OOM when allocating|out of memory|RESOURCE_EXHAUSTED|failed to allocate/i;

/** The same binding, whose ops tell a full memory as one clear error. */
export function withMemoryErrors(binding: NativeBinding): NativeBinding {
  const executeOp: NativeBinding['executeOp'] = (name, attributes, inputIds, outputs) => {
    try {
      return binding.executeOp(name, attributes, inputIds, outputs);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!outOfMemory.test(message)) throw error;
      const device = binding.isUsingGpuDevice() ? 'GPU' : 'CPU';
      throw new BulwarkError('ENGINE_MEMORY', `the ${device} ran out of memory in ${name}: ${message.split('\n')[0]}`, {
        cure: 'use a smaller data.batchSize, or another engine (engine: wasm)',
        cause: error,
      });
    }
  };
  return Object.create(binding, { executeOp: { value: executeOp } }) as NativeBinding;
}
