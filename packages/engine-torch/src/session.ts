import { availableParallelism } from 'node:os';
import { setBackend } from '@tensorflow/tfjs-core';
import { unavailable, type EngineSession, type Refusal } from '@bulwark/core/engine';
import { loadAddon } from './addon.js';
import { chooseDevice, hint, firstLine } from './device.js';
import { backendName, registerTorchBackend, type Kit, type Native } from './backend/index.js';
import { addonFile, usableBuilds, type TorchBuild } from './install/cache.js';
import { torchExecutor } from './passes/executor.js';
import { ncclSums } from './sums.js';
import { torchUpdates } from './updates.js';

/** Options of the engine. */
export interface TorchOptions {
  readonly device: string;
  readonly threads: number | 'auto';
  readonly tf32: boolean | 'emulated';
  readonly deterministic: boolean;
  readonly graphs: boolean;
  readonly benchmark: boolean;
  readonly nccl: boolean;
}

interface Loaded {
  readonly build: TorchBuild;
  readonly kit: Kit;
}

// A process loads the library once, and TensorFlow.js has each backend once.
let loaded: Loaded | undefined;

function load(): Loaded {
  if (loaded) return loaded;
  const { found, reasons } = usableBuilds();
  const refusals: Refusal[] = reasons.map((reason) => ({ candidate: 'engine cache', reason }));
  for (const build of found)
    try {
      return (loaded = { build, kit: registerTorchBackend(loadAddon(addonFile(build))) });
    } catch (error) {
      refusals.push({ candidate: `PyTorch ${build.torch}`, reason: firstLine(error) });
    }
  throw unavailable('torch', refusals, hint);
}

/** The addon that this process has loaded. */
export const nativeInUse = (): Native | undefined => loaded?.kit.native;

/** The same with what kernels are written with. */
export const kitInUse = (): Kit | undefined => loaded?.kit;

/** Loads the addon, once in a process, and makes it current. */
export async function startTorch({
  device,
  threads,
  tf32,
  deterministic,
  graphs,
  benchmark,
  nccl,
}: TorchOptions): Promise<EngineSession> {
  const { build, kit } = load();
  const { native } = kit;
  const { name, remarks } = chooseDevice(native, device);
  const onProcessor = name === 'cpu';
  const count = threads === 'auto' ? Number(process.env['BULWARK_THREADS']) || availableParallelism() : threads;
  native.useThreads(count);
  const products =
    tf32 === 'emulated' ? 'products in emulated TF32' : tf32 && !onProcessor ? 'products in TF32' : undefined;
  native.useTf32(tf32 === 'emulated' ? 2 : products ? 1 : 0);
  native.useDeterministic(deterministic, benchmark);
  // for comparisons and tests: `library` takes the ways that GPUs take
  native.useOwnKernels(process.env['BULWARK_TORCH_KERNELS'] !== 'library');
  const records = native.useRecordings(graphs ? 1 : 0) === 1;
  const [, instructions, , , seesMemory, , multipliesBfloat16] = native.facts();
  await setBackend(backendName);
  const reduced = !onProcessor || multipliesBfloat16 === 1;
  const how = [
    ...(onProcessor ? [instructions] : []),
    ...(products ? [products] : []),
    ...(deterministic ? ['deterministic'] : []),
    ...(graphs && records ? ['attacks as CUDA graphs'] : []),
  ];
  return {
    backend: backendName,
    description: `PyTorch ${build.torch}${how.length > 0 ? ` (${how.join(', ')})` : ''}, ${build.libraries}`,
    device: onProcessor ? 'CPU' : native.deviceName() || name,
    dtypes: reduced ? ['float32', 'bfloat16'] : ['float32'],
    ...(!reduced && { withoutDtypes: 'this processor has no instructions for bfloat16 (avx512_bf16)' }),
    ...(onProcessor && { threads: count }),
    hostMemory: onProcessor,
    ...(products && { arithmetic: products }),
    repeatable: deterministic,
    remarks: [
      ...remarks,
      ...(graphs && !records
        ? [
            name.startsWith('cuda')
              ? "graphs have no effect: the engine was built without CUDA's headers (CUDA_HOME, then `bulwark engine install torch --force`)"
              : "graphs have an effect on NVIDIA's GPUs only",
          ]
        : []),
      ...(tf32 && !products
        ? ['tf32 has no effect on processors; `tf32: emulated` shows what it does to results']
        : []),
      ...(name.startsWith('cuda') && seesMemory !== 1
        ? ['PyTorch 2.10 or newer would tell how full the memory of the GPU is']
        : []),
      ...(name === 'mps' ? ['nobody has tried Apple GPUs yet: compare with another engine (`bulwark verify`)'] : []),
    ],
    updates: torchUpdates(kit),
    sums: (collective) => ncclSums(kit, { collective, wanted: nccl }),
    peakDeviceMemory: () => native.deviceMemory()[1],
    prepare: (request) => torchExecutor(request, { kit, dtypes: reduced ? ['float32', 'bfloat16'] : ['float32'] }),
  };
}
