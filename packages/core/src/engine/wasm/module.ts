import { setFlagsFromString } from 'node:v8';
import type { DataType, TensorInfo } from '../../tensor/index.js';
import { BulwarkError } from '../../errors.js';
import type { SharedKernel, SharedKernels } from './helper.js';
import { kernelBytes } from './kernels.wasm.js';
import { defaultThreads, isShared, sharedMemory } from './shared-memory.js';
import { startTeam } from './team.js';

/** What we use of TensorFlow.js's wasm backend. */
export interface WasmBackend {
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
  readonly dataIdMap: { get(dataId: object): { memoryOffset: number } };
  readonly wasm: { readonly asm: { readonly memory?: WebAssembly.Memory }; _malloc(bytes: number): number };
}

/** The memory in which a backend's tensors live: its own export, or the shared one that it was started on. */
export function memoryOf(backend: WasmBackend): WebAssembly.Memory {
  return backend.wasm.asm.memory ?? sharedMemory()!;
}

/** The functions of packages/core/assembly: those whose work threads share, and some for a handful of values. */
type Kernel = (...args: number[]) => void;
export interface Kernels extends SharedKernels {
  readonly normGammaGrad: Kernel;
  readonly normGradCoefficients: Kernel;
  readonly normScale: Kernel;
}

/** How a job is cut, and what it costs. */
export interface Division {
  readonly units: number;
  /** Of the whole job, in multiply-adds; a float that is read or written counts as `FLOAT_WORK`. */
  readonly work: number;
}

export const FLOAT_WORK = 8;

/** The kernels instantiated on one backend's own memory. */
export interface KernelModule {
  readonly kernels: Kernels;
  /** Threads that may work on one job, this one included. */
  readonly threads: number;
  /** Runs a kernel with the parameters of its job, in the order of the job's fields; floats as `floatBits`. */
  share(kernel: SharedKernel, parameters: readonly number[], division: Division): void;
  /** Ends its helper threads. */
  stop(): void;
}

export type SimdFlavour = 'plain' | 'relaxed';

const JOB_BYTES = 128;

function decode(name: keyof typeof kernelBytes): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(kernelBytes[name], 'base64'));
}

/**
 * Relaxed SIMD has fused multiply-add. Node 22 has it by default; Node 20 implements it behind a flag that only gates
 * the decoder, so it may be set while running.
 */
export function bestFlavour(): SimdFlavour {
  const relaxed = decode('relaxed');
  if (WebAssembly.validate(relaxed)) return 'relaxed';
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(relaxed) ? 'relaxed' : 'plain';
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);
/** A float32 as the integer with the same bits. */
export function floatBits(value: number): number {
  float[0] = value;
  return bits[0]!;
}

/** Instantiates the kernels on `backend`'s memory; if that is shared, `threads` - 1 helpers start. */
export function instantiate(backend: WasmBackend, flavour: SimdFlavour, threads = defaultThreads()): KernelModule {
  const memory = memoryOf(backend);
  const shared = isShared(memory);
  const module = new WebAssembly.Module(decode(shared ? `${flavour}Threaded` : flavour));
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  const job = backend.wasm._malloc(JOB_BYTES) >>> 0;
  const team = startTeam({ module, memory, kernels, threads: shared ? threads : 1 });
  return {
    kernels,
    threads: team.threads,
    stop: team.stop,
    share: (kernel, parameters, { units, work }) => {
      // the memory may grow between calls: a view lives for one write
      new Int32Array(memory.buffer, job, parameters.length).set(parameters);
      team.run({ kernel, units, address: job, work });
    },
  };
}

const modules = new WeakMap<WasmBackend, KernelModule>();

/** The kernels on `backend`, instantiated at the first call, whose number of threads counts. */
export function kernelsOn(backend: WasmBackend, threads = defaultThreads()): KernelModule {
  const known = modules.get(backend);
  if (known) return known;
  const made = instantiate(backend, bestFlavour(), threads);
  modules.set(backend, made);
  return made;
}

/** Uses `module` on `backend` from now on, and the one before no more. */
export function useModule(backend: WasmBackend, module: KernelModule): void {
  const before = modules.get(backend);
  if (before !== module) before?.stop();
  modules.set(backend, module);
}

/** Where a float32 tensor's values are in the backend's memory. */
export function addressOf(backend: WasmBackend, info: TensorInfo): number {
  if (info.dtype !== 'float32') {
    throw new BulwarkError(
      'BATCH_INVALID',
      `wasm kernels: a tensor of shape [${info.shape.join(', ')}] is ${info.dtype}; allowed: float32`,
    );
  }
  return backend.dataIdMap.get(info.dataId).memoryOffset;
}

/** A new float32 tensor with undefined values. */
export function allocate(backend: WasmBackend, shape: number[]): TensorInfo {
  const info = backend.makeOutput(shape, 'float32');
  const size = shape.reduce((product, side) => product * side, 1);
  // The backend does not notice when memory ran out, and would go on at address 0.
  if (size > 0 && addressOf(backend, info) === 0) {
    backend.disposeData(info.dataId);
    throw new BulwarkError('ENGINE_MEMORY', `wasm: no room for ${size * 4} bytes; the engine has at most 4 GB`, {
      hint: 'Use a smaller batch size, or the tensorflow engine.',
    });
  }
  return info;
}

/** Runs `use` with `floats` floats of scratch memory. */
export function withScratch<T>(backend: WasmBackend, floats: number, use: (address: number) => T): T {
  const info = allocate(backend, [floats]);
  try {
    return use(addressOf(backend, info));
  } finally {
    backend.disposeData(info.dataId);
  }
}
