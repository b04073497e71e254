import { describe, expect, it } from '@jest/globals';
import type { Native } from './backend/index.js';
import { memoryError } from './memory.js';

const full = Object.assign(new Error('conv2d: CUDA out of memory. Tried to allocate 2.00 GiB\nand a traceback'), {
  code: 'TORCH_MEMORY',
});
const on = (deviceMemory: number[]) => ({ deviceMemory: () => deviceMemory }) as unknown as Native;

describe('memory that is full', () => {
  it('is ENGINE_MEMORY on a GPU, with what is in use, what is free, and the batch that would fit', () => {
    const error = memoryError(full, on([70e9, 78e9, 8e9, 80e9]), { perImage: 50e6, images: 512 });
    expect(error).toMatchObject({
      code: 'ENGINE_MEMORY',
      message: `the GPU's memory of 80000 MB is full (70000 MB in use, 8000 MB free): conv2d: CUDA out of memory. Tried to allocate 2.00 GiB`,
      hint: expect.stringMatching(/^a data\.batchSize of about 144 fits/),
    });
  });

  it('says what was asked for, not all that an H200 said', () => {
    const said = Object.assign(
      new Error(
        'pass: CUDA out of memory. Tried to allocate 1000.00 MiB. GPU 0 has a total capacity of 139.80 GiB of which 49.12 MiB is free. Including ' +
          'non-PyTorch memory, this process has 139.74 GiB memory in use. See documentation for Memory Management  ' +
          '(https://docs.pytorch.org/docs/stable/notes/cuda.html) (given float32 [32000, 32, 32, 3])',
      ),
      { code: 'TORCH_MEMORY' },
    );
    expect(memoryError(said, on([443e6, 139e9, 148e9, 150e9]), { perImage: 9e6, images: 32000 })).toMatchObject({
      message:
        "the GPU's memory of 150000 MB is full (443 MB in use, 148000 MB free): " +
        'pass: CUDA out of memory. Tried to allocate 1000.00 MiB (given float32 [32000, 32, 32, 3])',
      hint: expect.stringMatching(/^a data\.batchSize of about 14800 fits/),
    });
  });

  // whatever is free, a batch of the same size is no advice
  it.each([
    [512, 1e15, 256],
    [512, 0, 1],
    [16, 1e15, 8],
    [6, 1e15, 3],
    [1, 1e15, 1],
  ])('names fewer than %i images where %i bytes are free: %i', (images, free, fits) => {
    const { hint } = memoryError(full, on([1, 1, free, 80e9]), { perImage: 50e6, images }) as { hint: string };
    expect(hint).toMatch(new RegExp(`batchSize of about ${fits} fits`));
  });

  it('is told of the processor, and of single operations, without a figure', () => {
    expect(memoryError(full, on([]))).toMatchObject({
      code: 'ENGINE_MEMORY',
      message: expect.stringMatching(/^the memory is full: conv2d/),
      hint: expect.stringMatching(/smaller data\.batchSize/),
    });
  });

  it('is not made of other errors', () => {
    const other = new Error('conv2d: sizes differ');
    expect(memoryError(other, on([]))).toBe(other);
  });
});
