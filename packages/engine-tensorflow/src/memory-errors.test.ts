import { describe, expect, it } from '@jest/globals';
import type { NativeBinding } from './binding.js';
import { withMemoryErrors } from './memory-errors.js';

const failing = (message: string) =>
  withMemoryErrors({
    isUsingGpuDevice: () => true,
    TF_FLOAT: 1,
    executeOp: () => {
      throw new Error(message);
    },
  } as unknown as NativeBinding);

describe('a native op that fails', () => {
  it('for want of memory says so, with the op, the device and a hint', () => {
    const run = () => failing('OOM when allocating tensor with shape[4096,64,32,32]').executeOp('Conv2D', [], [], 1);
    expect(run).toThrow(expect.objectContaining({ code: 'ENGINE_MEMORY', hint: expect.stringContaining('batchSize') }));
    expect(run).toThrow(/GPU ran out of memory in Conv2D/);
  });

  it('for another reason keeps its own error', () => {
    expect(() => failing('Incompatible shapes').executeOp('Add', [], [], 1)).toThrow(/^Incompatible shapes$/);
  });

  it('leaves the rest of the binding as it is', () => {
    expect(failing('').TF_FLOAT).toBe(1);
  });
});
