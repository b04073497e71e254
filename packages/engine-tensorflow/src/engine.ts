import { z } from 'zod';
import { defineEngine, type InstalledPart } from '@bulwark/core/engine';
import { candidates } from './candidates.js';
import { listInstalled, type InstalledEngine } from './install/cache.js';

const partOf = ({ tensorflow: version, gpu, source, folder, bytes }: InstalledEngine): InstalledPart => ({
  description: `TensorFlow ${version}, ${gpu ? 'with' : 'without'} CUDA, from ${source}`,
  folder,
  bytes,
});

/** Native TensorFlow through tfjs-node: on x64 the fastest on processors, with CUDA where the library has it. */
export const tensorflow = defineEngine({
  name: 'tensorflow',
  summary: 'Native TensorFlow through tfjs-node: compiled passes on processors, op by op on CUDA.',
  rank: 40,
  options: {
    device: z
      .enum(['auto', 'cpu', 'gpu'])
      .default('auto')
      .describe('cpu hides the GPUs, gpu insists on one, auto takes what the library finds'),
    threads: z
      .union([z.literal('auto'), z.number().int().min(1)])
      .default('auto')
      .describe('threads of one op; auto: BULWARK_THREADS, else one per core'),
  },
  async probe() {
    const { found, refusals } = candidates();
    if (found.length > 0)
      return { available: true, refusals, version: found.map(({ folder, label }) => `${label} ${folder}`).join(', ') };
    return { available: false, refusals, hint: 'run `bulwark engine install tensorflow`, or use engine: auto' };
  },
  start: async (options) => (await import('./session.js')).startTensorflow(options),
  installer: {
    options: {
      gpu: z.boolean().default(false).describe('with CUDA'),
      from: z
        .string()
        .optional()
        .describe('cdn, pip, or the path of a TensorFlow (default: cdn where it answers, else pip)'),
      force: z.boolean().default(false).describe('install again although a working one is there'),
    },
    async install(options, { progress }) {
      const { installTensorflow } = await import('./install/index.js');
      return partOf(await installTensorflow({ ...options, progress }));
    },
    installed: () => listInstalled().map(partOf),
    async remove() {
      const { removeInstalled } = await import('./install/index.js');
      return (await removeInstalled()).map(partOf);
    },
  },
});
