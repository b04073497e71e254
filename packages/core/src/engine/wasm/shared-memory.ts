import { availableParallelism } from 'node:os';
import workerThreads from 'node:worker_threads';
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { env, findBackend, setBackend } from '../../tensor/index.js';
import { BulwarkError } from '../../errors.js';
import { MAX_THREADS } from './team.js';

let memory: WebAssembly.Memory | undefined;

/**
 * TensorFlow.js has a build of its wasm backend on shared memory, but does not use it under Node: its way of starting
 * threads needs a browser. We want only its memory, and run our own kernels on it from threads of our own. So while
 * the backend starts, its workers are stand-ins that say "loaded" and never run, and it is told to use one thread only:
 * left to itself it takes up to four where there are four cores or more, and would wait for stand-ins for ever.
 */
class StandInWorker {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  on(): void {}
  unref(): void {}
  ref(): void {}
  terminate(): void {}
  postMessage(message: { cmd?: string; wasmMemory?: WebAssembly.Memory }): void {
    if (message.cmd !== 'load') return;
    memory = message.wasmMemory;
    queueMicrotask(() => this.onmessage?.({ data: { cmd: 'loaded' } }));
  }
}

/** The memory of a backend on shared memory, which only its workers are told. */
export const sharedMemory = (): WebAssembly.Memory | undefined => memory;

/** Sets the wasm backend, on shared memory if several threads are wanted. */
export async function startBackend(threads: number): Promise<boolean> {
  if (threads < 2 || findBackend('wasm') != null) return setBackend('wasm');
  const module = workerThreads as { Worker: unknown };
  const scope = globalThis as { Worker?: unknown };
  const saved = { module: module.Worker, scope: scope.Worker };
  try {
    module.Worker = StandInWorker;
    setThreadsCount(1);
    env().set('WASM_HAS_MULTITHREAD_SUPPORT', true);
    return await setBackend('wasm');
  } finally {
    module.Worker = saved.module;
    if (saved.scope === undefined) delete scope.Worker;
    else scope.Worker = saved.scope;
  }
}

/**
 * Threads to use: `BULWARK_THREADS` if set (of which at most 64 are used; other engines use more), else one per core, at most 16.
 * @throws BulwarkError ENGINE_THREADS for a number that cannot be
 */
export function defaultThreads(): number {
  const asked = process.env['BULWARK_THREADS'];
  if (!asked) return Math.min(availableParallelism(), 16);
  const threads = Number(asked);
  if (Number.isInteger(threads) && threads >= 1) return Math.min(threads, MAX_THREADS);
  throw new BulwarkError(
    'ENGINE_THREADS',
    `BULWARK_THREADS is ${JSON.stringify(asked)}; allowed: whole numbers from 1 on`,
    { hint: 'correct or unset the environment variable BULWARK_THREADS' },
  );
}

/** Whether several threads can work on `memory`. */
export const isShared = (candidate: WebAssembly.Memory): boolean =>
  Object.prototype.toString.call(candidate.buffer) === '[object SharedArrayBuffer]';
