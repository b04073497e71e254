import { describe, expect, it } from '@jest/globals';
import { loadWebgpu } from '@bulwark/core';
import { reportedCores, trainOneStep } from './cores-testing.js';

const webgpu = await loadWebgpu();

describe('a step of training on default settings, whatever number of cores Node reports', () => {
  (webgpu.available ? it : it.skip).each(reportedCores)('ends on webgpu with %i', (cores) => {
    expect(trainOneStep('webgpu', cores)).toContain('"loss"');
  });
});
