import { describe, expect, it } from '@jest/globals';
import { loadTensorflow } from '@bulwark/core';
import { reportedCores, trainOneStep } from './cores-testing.js';

const native = await loadTensorflow();

describe('a step of training on default settings, whatever number of cores Node reports', () => {
  it.each(reportedCores)('ends on wasm with %i', (cores) => {
    expect(trainOneStep('wasm', cores)).toContain('"loss"');
  });
  it.each(reportedCores)('ends on cpu with %i', (cores) => {
    expect(trainOneStep('cpu', cores)).toContain('"loss"');
  });
  (native.available ? it : it.skip).each(reportedCores)('ends on tensorflow with %i', (cores) => {
    expect(trainOneStep('tensorflow', cores)).toContain('"loss"');
  });
});
