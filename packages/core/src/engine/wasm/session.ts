import '@tensorflow/tfjs-backend-wasm';
import { backend as currentBackend, version_core } from '../../tensor/index.js';
import { repairAveragePoolGradient } from '../average-pool-gradient.js';
import type { EngineSession } from '../engine.js';
import { unavailable } from '../unavailable.js';
import { bestFlavour, instantiate, kernelsOn, memoryOf, useModule, type WasmBackend } from './module.js';
import { registerWasmKernels } from './register.js';
import { defaultThreads, isShared, startBackend } from './shared-memory.js';

/**
 * Gives the backend that many threads. Only a backend that was started on shared memory can have more than one.
 * @returns how many it has
 */
function setThreads(backend: WasmBackend, wanted: number): number {
  const { threads } = kernelsOn(backend, wanted);
  if (threads === wanted || !isShared(memoryOf(backend))) return threads;
  useModule(backend, instantiate(backend, bestFlavour(), wanted));
  return wanted;
}

/** Starts the backend with Bulwark's kernels; in a process where it runs already, only the number of threads changes. */
export async function startWasm(asked: number | 'auto'): Promise<EngineSession> {
  const wanted = asked === 'auto' ? defaultThreads() : asked;
  if (!(await startBackend(wanted).catch(() => false)))
    throw unavailable(
      'wasm',
      [{ candidate: 'wasm', reason: 'WebAssembly with SIMD does not start here' }],
      'run `bulwark doctor` to see which other engine works',
    );
  registerWasmKernels();
  repairAveragePoolGradient('wasm');
  const threads = setThreads(currentBackend() as unknown as WasmBackend, wanted);
  return {
    backend: 'wasm',
    description: `TensorFlow.js ${version_core} with Bulwark's kernels`,
    device: 'CPU',
    dtypes: ['float32'],
    threads,
    hostMemory: true,
    remarks:
      threads === wanted
        ? []
        : [`computes on ${threads} thread: this process started it so, and ${wanted} need another`],
  };
}
