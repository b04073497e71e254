import { z } from 'zod';
import { defineEngine } from '../define.js';
import { MAX_THREADS } from './team.js';

/** WebAssembly with Bulwark's kernels: the default where nothing faster works. */
export const wasm = defineEngine({
  name: 'wasm',
  summary: "WebAssembly with Bulwark's own kernels, on all cores: runs everywhere.",
  rank: 10,
  options: {
    threads: z
      .union([z.literal('auto'), z.number().int().min(1).max(MAX_THREADS)])
      .default('auto')
      .describe('threads to use; auto: BULWARK_THREADS, else one per core, at most 16'),
  },
  async probe() {
    if (typeof WebAssembly === 'object') return { available: true, gpu: false };
    return { available: false, refusals: [{ candidate: 'wasm', reason: 'this JavaScript has no WebAssembly' }] };
  },
  start: async ({ threads }) => (await import('./session.js')).startWasm(threads),
});
