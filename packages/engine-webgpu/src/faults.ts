import { BulwarkError } from '@bulwark/core';
import type { Device, GpuBuffer } from './gpu.js';

/** What went wrong on a GPU, which it tells later than the call that caused it. */
export interface Faults {
  /** @throws BulwarkError ENGINE_MEMORY, or an Error for any other fault, once for each */
  check(): void;
}

const hint = 'use a smaller data.batchSize, or another engine (engine: wasm)';
const outOfMemory = /out.?of.?memory|OutOfMemory|allocat/i;

/** Collects the faults of a device, and refuses buffers that it cannot have. */
export function watchFaults(device: Device): Faults {
  let fault: Error | undefined;
  const note = (message: string, cause?: Error): void => {
    fault ??= outOfMemory.test(message)
      ? new BulwarkError('ENGINE_MEMORY', `the GPU ran out of memory: ${message}`, { hint, cause })
      : new Error(`webgpu: ${message}`, { cause });
  };
  device.addEventListener('uncapturederror', ({ error }) =>
    note(`${error.constructor.name}: ${error.message.split('\n')[0]}`, error),
  );
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') note(`the GPU stopped working (${message.split('\n')[0]})`);
  });
  const { createBuffer } = device;
  const limit = device.limits.maxBufferSize!;
  device.createBuffer = function (this: Device, descriptor): GpuBuffer {
    if (descriptor.size > limit)
      throw new BulwarkError(
        'ENGINE_MEMORY',
        `a tensor of ${descriptor.size} bytes is larger than the ${limit} bytes that this GPU gives one buffer`,
        { hint },
      );
    return createBuffer.call(this, descriptor);
  };
  return {
    check() {
      const found = fault;
      fault = undefined;
      if (found) throw found;
    },
  };
}
