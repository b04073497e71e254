import { setBackend } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { defineEngine, repairAveragePoolGradient, unavailable } from '@bulwark/core/engine';
import { missingVulkan } from './drivers.js';

const hint = 'install the driver of the GPU, or use engine: auto';

/** Any GPU with a driver for Vulkan, Metal or D3D12, without CUDA. */
export const webgpu = defineEngine({
  name: 'webgpu',
  summary: 'GPUs of any make through WebGPU (Vulkan, Metal, D3D12).',
  rank: 30,
  options: {
    power: z
      .enum(['high-performance', 'low-power'])
      .default('high-performance')
      .describe('which GPU, where there are two'),
  },
  async probe() {
    const missing = missingVulkan();
    if (missing === undefined) return { available: true };
    return { available: false, refusals: [{ candidate: 'webgpu', reason: missing }], hint };
  },
  async start({ power }) {
    const { loadWebgpu } = await import('./load.js');
    const load = await loadWebgpu(power);
    if (!load.available) throw unavailable('webgpu', load.refusals, hint);
    const { version, adapter, software } = load.engine;
    await setBackend('webgpu');
    repairAveragePoolGradient('webgpu');
    return {
      backend: 'webgpu',
      description: `webgpu ${version} (Dawn)`,
      device: adapter,
      dtypes: ['float32'],
      software,
      hostMemory: false,
      remarks: software ? ['this adapter computes on the CPU: engine: auto does not take it'] : [],
    };
  },
});
