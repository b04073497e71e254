import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../../errors.js';
import { useEngine } from '../select.js';
import type { EngineName } from '../select.js';
import { loadTensorflow } from '../tensorflow/index.js';
import { defaultThreads } from '../wasm/index.js';
import { loadWebgpu } from '../webgpu/index.js';
import { wrongNumbers } from './numerics.js';
import { measureSpeed } from './speed.js';
import type { EngineSpeed } from './speed.js';

/** What `bulwark doctor` says of one engine. */
export type EngineDiagnosis =
  | {
      readonly engine: EngineName;
      readonly works: true;
      /** Version and device, in words. */
      readonly description: string;
      /** Where it computes. */
      readonly device: string;
      readonly threads?: number;
      /** True for a GPU adapter that computes on the processor. */
      readonly software?: boolean;
      /** What works less well than it should, or is worth knowing. */
      readonly remarks: readonly string[];
      /** What it computes differently from plain JavaScript, if anything. */
      readonly wrong?: string;
      readonly speed: EngineSpeed;
    }
  | { readonly engine: EngineName; readonly works: false; readonly reason: string; readonly cure?: string };

interface Facts {
  readonly description: string;
  readonly device: string;
  readonly threads?: number;
  readonly software?: boolean;
  readonly remarks: readonly string[];
}

const facts: Readonly<Record<EngineName, () => Promise<Facts>>> = {
  async tensorflow() {
    const load = await loadTensorflow();
    if (!load.available) throw new Error('the native engine was there a moment ago');
    const { version, origin, gpu, remarks } = load.engine;
    const device = gpu ? 'GPU' : 'CPU';
    return { description: `TensorFlow ${version}, ${origin}`, device, threads: availableParallelism(), remarks };
  },
  async webgpu() {
    const load = await loadWebgpu();
    if (!load.available) throw new Error('the GPU was there a moment ago');
    const { version, adapter, software } = load.engine;
    const remarks = software ? ['this adapter computes on the CPU: engine: auto does not take it'] : [];
    return { description: `webgpu ${version} (Dawn)`, device: adapter, software, remarks };
  },
  async wasm() {
    const description = `TensorFlow.js ${tf.version_core} with Bulwark's kernels`;
    return { description, device: 'CPU', threads: defaultThreads(), remarks: [] };
  },
  async cpu() {
    return { description: `TensorFlow.js ${tf.version_core}`, device: 'CPU', threads: 1, remarks: ['for tests only'] };
  },
};

/**
 * Starts an engine, compares its numbers with plain JavaScript and measures its speed. Best in a process of its own: an
 * engine that crashes then takes nothing else with it.
 * @param options seconds: how long to measure
 */
export async function diagnoseEngine(
  engine: EngineName,
  { seconds = 5 }: { seconds?: number } = {},
): Promise<EngineDiagnosis> {
  try {
    await useEngine(engine);
    const wrong = engine === 'cpu' ? undefined : await wrongNumbers(engine);
    return { engine, works: true, ...(await facts[engine]()), wrong, speed: measureSpeed({ seconds }) };
  } catch (error) {
    const { message, cure } = error as BulwarkError;
    return { engine, works: false, reason: message, cure };
  }
}
