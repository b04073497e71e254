import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../errors.js';
import { startCpu } from './cpu.js';
import { loadTensorflow, whyNoBfloat16 } from './tensorflow/index.js';
import type { Refusal } from './tensorflow/index.js';
import { defaultThreads, registerWasmKernels, startBackend } from './wasm/index.js';
import { loadWebgpu } from './webgpu/index.js';

/** All engines, fastest first. */
export const engineNames = ['tensorflow', 'webgpu', 'wasm', 'cpu'] as const;
/** An engine by its name in configs. */
export type EngineName = (typeof engineNames)[number];

/** The engine in use and why it was chosen. */
export interface EngineChoice {
  readonly name: EngineName;
  /** One line, with the way to a faster engine if there is one. */
  readonly reason: string;
  /** True if it computes the passes of attacks in training in bfloat16: asked for, and possible here. */
  readonly reducedPrecision?: true;
  /** Why engines that `auto` would have preferred are not in use. */
  readonly refusals?: readonly Refusal[];
}

/** What to ask of an engine. */
export interface EngineOptions {
  /** Let the native engine compute the passes of attacks in training in bfloat16; other engines compute in float32 all the same. */
  readonly reducedPrecision?: boolean;
}

/** What starting one engine came to. */
type Start =
  | { readonly ok: true; readonly description: string; readonly software?: boolean }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

const install = 'bulwark engine install tensorflow';

const starters: Readonly<Record<EngineName, () => Promise<Start>>> = {
  async tensorflow() {
    const load = await loadTensorflow();
    if (!load.available) return { ok: false, refusals: load.refusals };
    const { version, gpu } = load.engine;
    return { ok: true, description: `native TensorFlow ${version} on the ${gpu ? 'GPU' : 'CPU'}` };
  },
  async webgpu() {
    const load = await loadWebgpu();
    if (!load.available) return { ok: false, refusals: load.refusals };
    const { adapter, software } = load.engine;
    return { ok: true, description: `${adapter} through WebGPU`, software };
  },
  async wasm() {
    const started = await startBackend(defaultThreads()).catch(() => false);
    if (!started)
      return { ok: false, refusals: [{ candidate: 'wasm', reason: 'WebAssembly with SIMD does not start here' }] };
    registerWasmKernels();
    return { ok: true, description: 'runs everywhere' };
  },
  async cpu() {
    await startCpu();
    return { ok: true, description: 'plain JavaScript, for tests' };
  },
};

/** Makes a started engine current, and looks whether it can reduce precision. */
async function makeCurrent(
  choice: { name: EngineName; reason: string; refusals?: readonly Refusal[] },
  { reducedPrecision }: EngineOptions,
): Promise<EngineChoice> {
  await tf.setBackend(choice.name);
  await tf.ready();
  if (!reducedPrecision) return choice;
  const obstacle = choice.name === 'tensorflow' ? whyNoBfloat16() : `${choice.name} computes in float32 only`;
  if (obstacle) return { ...choice, reason: `${choice.reason}; reduced precision has no effect here: ${obstacle}` };
  return { ...choice, reason: `${choice.reason}; attacks in training in bfloat16`, reducedPrecision: true };
}

const cures: Readonly<Record<EngineName, string>> = {
  tensorflow: `run \`${install}\`, or use engine: auto`,
  webgpu: 'install the driver of the GPU, or use engine: auto',
  wasm: 'use engine: tensorflow',
  cpu: 'use engine: wasm',
};

async function useNamed(name: EngineName, options: EngineOptions): Promise<EngineChoice> {
  const start = await starters[name]();
  if (start.ok) return makeCurrent({ name, reason: 'asked for' }, options);
  const reasons = start.refusals.map(({ candidate, reason }) =>
    candidate === name ? reason : `${candidate}: ${reason}`,
  );
  throw new BulwarkError('ENGINE_UNAVAILABLE', `engine ${name} does not work on this machine: ${reasons.join('; ')}`, {
    cure: cures[name],
  });
}

/** One short hint for each engine that would have been faster. */
const faster = (name: EngineName): string => (name === 'tensorflow' ? '' : `; native TensorFlow is faster: ${install}`);

async function useBest(options: EngineOptions): Promise<EngineChoice> {
  const refusals: Refusal[] = [];
  for (const name of ['tensorflow', 'webgpu', 'wasm'] as const) {
    const start = await starters[name]();
    if (!start.ok) refusals.push(...start.refusals);
    else if (start.software) refusals.push({ candidate: name, reason: `${start.description} computes on the CPU` });
    else return makeCurrent({ name, reason: `${start.description}${faster(name)}`, refusals }, options);
  }
  throw new BulwarkError(
    'ENGINE_UNAVAILABLE',
    `no engine works on this machine: ${refusals.map(({ candidate, reason }) => `${candidate}: ${reason}`).join('; ')}`,
    { cure: `run \`bulwark doctor\`, then \`${install}\`` },
  );
}

/** `BULWARK_ENGINE` says what `auto` means, so that tests and scripts are the same on every machine. */
function preference(): EngineName | 'auto' {
  const asked = process.env['BULWARK_ENGINE'];
  if (!asked || asked === 'auto') return 'auto';
  const name = engineNames.find((known) => known === asked);
  if (name) return name;
  throw new BulwarkError(
    'ENGINE_UNAVAILABLE',
    `BULWARK_ENGINE is ${JSON.stringify(asked)}; allowed: auto, ${engineNames.join(', ')}`,
    { cure: 'correct or unset the environment variable BULWARK_ENGINE' },
  );
}

/**
 * Loads an engine and makes it current. `auto` takes the best that works: the native TensorFlow, a real GPU through WebGPU,
 * wasm; the environment variable `BULWARK_ENGINE` replaces `auto` and nothing else.
 * @throws BulwarkError ENGINE_UNAVAILABLE with the reason of each candidate and what to do
 */
export async function useEngine(name: EngineName | 'auto', options: EngineOptions = {}): Promise<EngineChoice> {
  if (name !== 'auto') return useNamed(name, options);
  const preferred = preference();
  if (preferred === 'auto') return useBest(options);
  const choice = await useNamed(preferred, options);
  return { ...choice, reason: `BULWARK_ENGINE=${preferred}` };
}
