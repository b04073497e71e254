import { availableParallelism } from 'node:os';
import { setBackend } from '@tensorflow/tfjs-core';
import { unavailable, type EngineSession, type Refusal } from '@bulwark/core/engine';
import { loadAddon } from './addon.js';
import { backendName, registerTorchBackend, type Kit, type Native } from './backend/index.js';
import { addonFile, usableBuilds, type TorchBuild } from './install/cache.js';
import { torchExecutor } from './passes/executor.js';
import { torchUpdates } from './updates.js';

/** Options of the engine. */
export interface TorchOptions {
  readonly device: string;
  readonly threads: number | 'auto';
  readonly tf32: boolean;
  readonly deterministic: boolean;
}

export const cure = 'run `bulwark engine install torch`, or use engine: auto';

interface Loaded {
  readonly build: TorchBuild;
  readonly kit: Kit;
}

// A process loads the library once, and TensorFlow.js has each backend once.
let loaded: Loaded | undefined;
let deviceInUse: string | undefined;

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

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
  throw unavailable('torch', refusals, cure);
}

/** The addon that this process has loaded. */
export const nativeInUse = (): Native | undefined => loaded?.kit.native;

/** The device that computes, and why it is not another one. */
function chooseDevice({ native }: Kit, wanted: string): { name: string; remarks: string[] } {
  const [, , , cuda, , mps] = native.facts();
  const use = (name: string): string => {
    if (deviceInUse !== undefined && deviceInUse !== name)
      throw new Error(`this process computes on ${deviceInUse} already: start another one`);
    native.useDevice(name);
    deviceInUse = name;
    return name;
  };
  if (wanted === 'auto') {
    if (deviceInUse !== undefined) return { name: deviceInUse, remarks: [] };
    if (!cuda) return { name: use('cpu'), remarks: [] };
    try {
      return { name: use('cuda:0'), remarks: [] };
    } catch (error) {
      return { name: use('cpu'), remarks: [`computes on the processor: ${firstLine(error)}`] };
    }
  }
  const refuse = (reason: string, how = cure) => unavailable('torch', [{ candidate: 'torch', reason }], how);
  if (wanted.startsWith('cuda') && !cuda)
    throw refuse(
      `its PyTorch was built without CUDA`,
      'install a PyTorch with CUDA, then `bulwark engine install torch --force`; or leave out `device`',
    );
  if (wanted === 'mps' && !mps) throw refuse('its PyTorch has no MPS', 'use device: cpu');
  try {
    return { name: use(wanted === 'cuda' ? 'cuda:0' : wanted), remarks: [] };
  } catch (error) {
    throw refuse(firstLine(error), 'see that the driver works (nvidia-smi), or leave out `device`');
  }
}

/** Loads the addon, once in a process, and makes it current. */
export async function startTorch({ device, threads, tf32, deterministic }: TorchOptions): Promise<EngineSession> {
  const { build, kit } = load();
  const { native } = kit;
  const { name, remarks } = chooseDevice(kit, device);
  const onProcessor = name === 'cpu';
  const count = threads === 'auto' ? Number(process.env['BULWARK_THREADS']) || availableParallelism() : threads;
  native.useThreads(count);
  native.useTf32(tf32 && !onProcessor);
  native.useDeterministic(deterministic);
  const [, instructions, , , graphs, , multipliesBfloat16] = native.facts();
  await setBackend(backendName);
  const reduced = !onProcessor || multipliesBfloat16 === 1;
  const how = [
    ...(onProcessor ? [instructions] : []),
    ...(tf32 && !onProcessor ? ['products in TF32'] : []),
    ...(deterministic ? ['deterministic'] : []),
  ];
  return {
    backend: backendName,
    description: `PyTorch ${build.torch}${how.length > 0 ? ` (${how.join(', ')})` : ''}, ${build.libraries}`,
    device: onProcessor ? 'CPU' : native.deviceName() || name,
    dtypes: reduced ? ['float32', 'bfloat16'] : ['float32'],
    ...(!reduced && { withoutDtypes: 'this processor has no instructions for bfloat16 (avx512_bf16)' }),
    ...(onProcessor && { threads: count }),
    hostMemory: onProcessor,
    ...(tf32 && !onProcessor && { arithmetic: 'products in TF32' }),
    repeatable: deterministic,
    remarks: [
      ...remarks,
      ...(tf32 && onProcessor ? ['tf32 has no effect on processors'] : []),
      ...(name.startsWith('cuda') && graphs !== 1
        ? ['built without CUDA headers: passes are not replayed as graphs']
        : []),
      ...(name === 'mps' ? ['nobody has tried Apple GPUs yet: compare with another engine (`bulwark verify`)'] : []),
    ],
    updates: torchUpdates(kit),
    prepare: (request) => torchExecutor(request, { kit, dtypes: reduced ? ['float32', 'bfloat16'] : ['float32'] }),
  };
}
