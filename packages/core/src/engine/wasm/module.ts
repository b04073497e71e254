import { setFlagsFromString } from 'node:v8';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { BulwarkError } from '../../errors.js';
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

/** The functions of packages/core/assembly: addresses, sizes and floats. */
type Kernel = (...args: number[]) => void;
export interface Kernels {
  readonly convDots: Kernel;
  readonly convPanel: Kernel;
  readonly filterPanel: Kernel;
  readonly packPanels: Kernel;
  readonly packTransposed: Kernel;
  readonly padImages: Kernel;
  readonly batchStatistics: Kernel;
  readonly maxPoolGrad: Kernel;
  readonly normApply: Kernel;
  readonly normInputGrad: Kernel;
  readonly normScale: Kernel;
  readonly normScaleRows: Kernel;
  readonly normSums: Kernel;
  readonly relu: Kernel;
  readonly reluGrad: Kernel;
  readonly signOf: Kernel;
  readonly signStep: Kernel;
}

/** How a convolution is divided: tiles of pixels (or image rows) times panels of eight channels (of one, for `dots`). */
export interface Division {
  readonly panels: number;
  readonly tile: number;
  /** Multiply-adds of the whole job. */
  readonly work: number;
}

/** The kernels instantiated on one backend's own memory. */
export interface KernelModule {
  readonly kernels: Kernels;
  /** Threads that may work on one job, this one included. */
  readonly threads: number;
  /** Runs the convolution with these parameters (see `ConvJob` in packages/core/assembly/conv.ts). */
  conv(parameters: readonly number[], division: Division & { kind: 'conv' | 'dots'; pixels: number }): void;
  /** Runs the filter gradient with these parameters (see `FilterJob`); every thread has `scratchBytes` of the scratch. */
  convFilterGrad(parameters: readonly number[], division: Division & { scratch: number; scratchBytes: number }): void;
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

/** Instantiates the kernels on `backend`'s memory; if that is shared, `threads` - 1 helpers start. */
export function instantiate(backend: WasmBackend, flavour: SimdFlavour, threads = defaultThreads()): KernelModule {
  const memory = memoryOf(backend);
  const shared = isShared(memory);
  const module = new WebAssembly.Module(decode(shared ? `${flavour}Threaded` : flavour));
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  const job = backend.wasm._malloc(JOB_BYTES) >>> 0;
  const team = startTeam({ module, memory, kernels, threads: shared ? threads : 1 });
  // The memory may grow between calls: a view lives for one write.
  const write = (parameters: readonly number[]): void =>
    new Int32Array(memory.buffer, job, parameters.length).set(parameters);
  return {
    kernels,
    threads: team.threads,
    conv: (parameters, { kind, pixels, panels, tile, work }) => {
      write(parameters);
      team.run({ kind, units: Math.ceil(pixels / tile) * panels, job, tile, panels, pixels }, work);
    },
    convFilterGrad: (parameters, { panels, tile, work, scratch, scratchBytes }) => {
      write(parameters);
      team.run({ kind: 'filter', units: panels, job, tile, scratch, scratchBytes }, work);
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

/** Uses `module` on `backend` from now on (tests compare flavours and numbers of threads). */
export function useModule(backend: WasmBackend, module: KernelModule): void {
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
      cure: 'Use a smaller batch size, or the tensorflow engine.',
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
