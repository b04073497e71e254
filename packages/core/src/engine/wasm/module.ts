import { setFlagsFromString } from 'node:v8';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { BulwarkError } from '../../errors.js';
import { plainKernels, relaxedKernels } from './kernels.wasm.js';

/** What we use of TensorFlow.js's wasm backend. */
export interface WasmBackend {
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
  readonly dataIdMap: { get(dataId: object): { memoryOffset: number } };
  readonly wasm: { readonly asm: { readonly memory: WebAssembly.Memory }; _malloc(bytes: number): number };
}

/** The functions of packages/core/assembly: addresses, sizes and floats. */
type Kernel = (...args: number[]) => void;
export interface Kernels {
  readonly conv: Kernel;
  readonly convFilterGrad: Kernel;
  readonly packPanels: Kernel;
  readonly packTransposed: Kernel;
  readonly padImages: Kernel;
  readonly batchStatistics: Kernel;
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

/** The kernels instantiated on one backend's own memory, and a small block there for their parameters. */
export interface KernelModule {
  readonly kernels: Kernels;
  /** Writes the parameters of a convolution and returns their address. */
  job(parameters: readonly number[]): number;
}

export type SimdFlavour = 'plain' | 'relaxed';

const JOB_BYTES = 128;

function decode(flavour: SimdFlavour): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(flavour === 'relaxed' ? relaxedKernels : plainKernels, 'base64'));
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

/** Instantiates the kernels on `backend`'s memory. */
export function instantiate(backend: WasmBackend, flavour: SimdFlavour): KernelModule {
  const { memory } = backend.wasm.asm;
  const module = new WebAssembly.Module(decode(flavour));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const address = backend.wasm._malloc(JOB_BYTES) >>> 0;
  return {
    kernels: exports as unknown as Kernels,
    job: (parameters) => {
      // The memory may have grown since the last call: a view lives for one write.
      new Int32Array(memory.buffer, address, parameters.length).set(parameters);
      return address;
    },
  };
}

const modules = new WeakMap<WasmBackend, KernelModule>();

/** The kernels on `backend`, instantiated at the first call. */
export function kernelsOn(backend: WasmBackend): KernelModule {
  const known = modules.get(backend);
  if (known) return known;
  const made = instantiate(backend, bestFlavour());
  modules.set(backend, made);
  return made;
}

/** Uses the given flavour on `backend` from now on (tests compare both). */
export function useFlavour(backend: WasmBackend, flavour: SimdFlavour): void {
  modules.set(backend, instantiate(backend, flavour));
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
