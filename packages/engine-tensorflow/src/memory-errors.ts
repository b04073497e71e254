import { BulwarkError } from '@bulwark/core';
import type { NativeBinding } from './binding.js';

const outOfMemory = /OOM when allocating|out of memory|RESOURCE_EXHAUSTED|failed to allocate/i;

/** The same binding, whose ops and sessions tell a full memory as one clear error. */
export function withMemoryErrors(binding: NativeBinding): NativeBinding {
  const clearly = <T>(what: string, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!outOfMemory.test(message)) throw error;
      const device = binding.isUsingGpuDevice() ? 'GPU' : 'CPU';
      throw new BulwarkError('ENGINE_MEMORY', `the ${device} ran out of memory in ${what}: ${message.split('\n')[0]}`, {
        hint: 'use a smaller data.batchSize, or another engine (engine: wasm)',
        cause: error,
      });
    }
  };
  const executeOp: NativeBinding['executeOp'] = (name, ...rest) =>
    clearly(name, () => binding.executeOp(name, ...rest));
  const runSavedModel: NativeBinding['runSavedModel'] = (...call) =>
    clearly('a pass', () => binding.runSavedModel(...call));
  return Object.create(binding, {
    executeOp: { value: executeOp },
    runSavedModel: { value: runSavedModel },
  }) as NativeBinding;
}
