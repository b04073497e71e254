import { existsSync } from 'node:fs';
import { z } from 'zod';
import { defineEngine, type InstalledPart } from '@bulwark/core/engine';
import { builds, usableBuilds, withoutCuda, type TorchBuild } from './install/cache.js';

const partOf = ({ torch, source, cuda, folder, bytes }: TorchBuild): InstalledPart => ({
  description: `PyTorch ${torch} (${cuda}), ${source}`,
  folder,
  bytes,
});

/** Where NVIDIA's driver shows on Linux and in WSL, which is cheaper to see than to load CUDA. */
const hasNvidiaDriver = (): boolean => ['/dev/nvidiactl', '/dev/dxg'].some((place) => existsSync(place));

/** PyTorch's kernels: processors, NVIDIA GPUs, and Apple's where PyTorch has them. */
export const torch = defineEngine({
  name: 'torch',
  summary: "PyTorch's own kernels, whole passes in one call: processors and NVIDIA GPUs.",
  rank: 50,
  options: {
    device: z
      .string()
      .regex(/^(auto|cpu|mps|cuda(:\d+)?)$/, 'expected auto, cpu, cuda, cuda:<number> or mps')
      .default('auto')
      .describe('cpu, cuda, cuda:1, mps; auto takes the first GPU that works, else the processor'),
    threads: z
      .union([z.literal('auto'), z.number().int().min(1)])
      .default('auto')
      .describe('threads of one op on the processor; auto: BULWARK_THREADS, else one per core'),
    tf32: z
      .union([z.boolean(), z.literal('emulated')])
      .default(false)
      .describe(
        'on NVIDIA GPUs: products in TF32, faster and with 10 bits of mantissa in place of 23; emulated: rounded likewise on any device, slowly',
      ),
    deterministic: z
      .boolean()
      .default(false)
      .describe('the same bits from the same run on the same machine; refuses ops that cannot'),
    benchmark: z
      .boolean()
      .default(true)
      .describe('on NVIDIA GPUs: cuDNN measures which algorithm is the fastest for the first shapes of batches'),
    graphs: z.boolean().default(false).describe('on NVIDIA GPUs: passes of attacks as CUDA graphs, launched whole'),
    nccl: z
      .boolean()
      .default(true)
      .describe('several processes on NVIDIA GPUs sum gradients over NCCL; false: through the memory of the host'),
  },
  async probe() {
    const { found, reasons } = usableBuilds();
    const refusals = reasons.map((reason) => ({ candidate: 'torch', reason }));
    const [first] = found;
    if (first)
      return {
        ...{ available: true, refusals, version: `${first.torch} ${first.sources}` },
        gpu: first.cuda !== withoutCuda && hasNvidiaDriver(),
      };
    return { available: false, refusals, hint: 'run `bulwark engine install torch`, or use engine: auto' };
  },
  start: async (options) => (await import('./session.js')).startTorch(options),
  installer: {
    options: {
      python: z.string().optional().describe('a Python that has torch (default: the active environment, else PATH)'),
      pip: z.boolean().default(false).describe("fetch torch with pip into Bulwark's own cache"),
      cuda: z.boolean().optional().describe('with --pip: the build with CUDA (default: if nvidia-smi sees a GPU)'),
      force: z.boolean().default(false).describe('install again although a working one is there'),
    },
    async install(options, { progress }) {
      const { installTorch } = await import('./install/install.js');
      return partOf(await installTorch(options, progress));
    },
    installed: () => usableBuilds().found.map(partOf),
    async remove() {
      const removed = usableBuilds().found.map(partOf);
      await builds.clear();
      return removed;
    },
  },
});
