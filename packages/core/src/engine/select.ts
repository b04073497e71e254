import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from '../errors.js';
import { registerWasmKernels } from './wasm/index.js';

export const engineNames = ['tensorflow', 'webgpu', 'wasm', 'cpu'] as const;
export type EngineName = (typeof engineNames)[number];

/** The engine in use and why it was chosen. */
export interface EngineChoice {
  readonly name: EngineName;
  readonly reason: string;
}

/** Makes an engine current. @throws BulwarkError ENGINE_UNAVAILABLE */
export async function useEngine(name: EngineName | 'auto'): Promise<EngineChoice> {
  const chosen = name === 'auto' ? 'wasm' : name;
  if (!(await tf.setBackend(chosen).catch(() => false)))
    throw new BulwarkError('ENGINE_UNAVAILABLE', `engine ${chosen} does not start on this machine`, { cure: 'use engine: wasm' });
  await tf.ready();
  if (chosen === 'wasm') registerWasmKernels();
  return { name: chosen, reason: name === 'auto' ? 'runs everywhere' : 'asked for' };
}
