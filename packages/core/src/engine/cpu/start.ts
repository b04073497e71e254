import '@tensorflow/tfjs-backend-cpu';
import { findBackend, setBackend } from '@tensorflow/tfjs-core';
import { repairAveragePoolGradient } from '../average-pool-gradient.js';

/** Makes the `cpu` backend current, without the advertisement that it prints at its first tensor. */
export async function startCpu(): Promise<boolean> {
  const started = await setBackend('cpu');
  repairAveragePoolGradient('cpu');
  (findBackend('cpu') as unknown as { firstUse: boolean }).firstUse = false;
  return started;
}
