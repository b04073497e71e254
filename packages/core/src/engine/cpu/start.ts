import '@tensorflow/tfjs-backend-cpu';
import { findBackend, setBackend } from '@tensorflow/tfjs-core';

/** Makes the `cpu` backend current, without the advertisement that it prints at its first tensor. */
export async function startCpu(): Promise<boolean> {
  const started = await setBackend('cpu');
  (findBackend('cpu') as unknown as { firstUse: boolean }).firstUse = false;
  return started;
}
