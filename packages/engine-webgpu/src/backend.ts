import { util } from '@tensorflow/tfjs-core';
import type { BackendValues, DataType, KernelBackend } from '@tensorflow/tfjs-core';
import { BulwarkError } from '@bulwark/core';
import type { Faults } from './faults.js';
import type { Device, GpuBuffer } from './gpu.js';
import type { Ticks } from './ticks.js';

/** The part of TensorFlow.js's WebGPU backend that reading uses. */
export interface WebgpuBackend extends KernelBackend {
  readonly device: Device;
  readonly tensorMap: {
    get(dataId: object): {
      readonly values?: BackendValues | null;
      readonly dtype: DataType;
      readonly resource: GpuBuffer;
    };
  };
  commandEncoder: { copyBufferToBuffer(from: GpuBuffer, at: number, to: GpuBuffer, ...range: number[]): void };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  hasTimestampQueryWarned: boolean;
  convertAndCacheOnCPU(dataId: object, values: BackendValues): BackendValues;
}

// GPUBufferUsage.MAP_READ | COPY_DST and GPUMapMode.READ, numbers of the standard
const readable = 0x1 | 0x8;
const forReading = 0x1;

/** Seconds for which the GPU may compute what was asked of it before a value can be read; a step takes less than one. */
const PATIENCE = 600;

const nap = new Int32Array(new SharedArrayBuffer(4));

/**
 * Gives a backend a way to read tensors synchronously under Node, where TensorFlow.js's own needs a browser's canvas.
 * Its asynchronous reading then does the same, so that Dawn has no work pending that nobody waits for.
 */
export function readSynchronously(backend: WebgpuBackend, { ticks, faults }: { ticks: Ticks; faults: Faults }): void {
  const bytesOf = (buffer: GpuBuffer): ArrayBuffer => {
    const staging = backend.device.createBuffer({ size: buffer.size, usage: readable });
    try {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.commandEncoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
      backend.submitQueue();
      const mapping = ticks.during(() => staging.mapAsync(forReading));
      mapping.catch(() => undefined); // told by `mapState` and the faults
      const until = performance.now() + PATIENCE * 1000;
      for (let turn = 0; staging.mapState === 'pending'; turn++) {
        if (!ticks.run()) throw new Error('webgpu: Dawn does not say when the GPU is done');
        faults.check();
        if (performance.now() > until)
          throw new BulwarkError('ENGINE_UNAVAILABLE', `webgpu: the GPU did not answer for ${PATIENCE} s`, {
            hint: 'use a smaller data.batchSize, or another engine (engine: wasm); look into the log of its driver',
          });
        if (turn > 50) Atomics.wait(nap, 0, 0, 0.1); // a long computation: leave the processor to others
      }
      faults.check();
      return staging.getMappedRange().slice(0);
    } finally {
      staging.destroy();
    }
  };
  const read = (dataId: object): BackendValues => {
    const { values, dtype, resource } = backend.tensorMap.get(dataId);
    if (values != null) return values;
    if (dtype === 'complex64' || dtype === 'string') throw new Error(`webgpu: tensors of ${dtype} cannot be read`);
    return backend.convertAndCacheOnCPU(dataId, util.convertBackendValuesAndArrayBuffer(bytesOf(resource), dtype));
  };
  backend.hasTimestampQueryWarned = true; // it would advise to restart Chrome
  backend.readSync = read;
  backend.read = async (dataId: object) => read(dataId);
}
