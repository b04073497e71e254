import { BulwarkError } from '@bulwark/core';
import { freemem } from 'node:os';
import type { Native } from './backend/native.js';

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** What is known of the memory that tensors lie in. */
function freeMemory(native: Native): { where: string; free: number; inUse?: number } {
  const [inUse, , free, total] = native.deviceMemory();
  if (inUse === undefined || free === undefined || total === undefined) return { where: 'memory', free: freemem() };
  return { where: `GPU's memory of ${megabytes(total)}`, free, inUse };
}

/** What a pass was about to hold: bytes of one image, and how many images. */
export interface Demand {
  readonly perImage: number;
  readonly images: number;
}

/** Images that would have fitted: what is free by now, when nothing of the pass is left, shared out; less than there were in any case. */
function fitting({ perImage, images }: Demand, free: number): number {
  const most = Math.min(Math.floor((0.9 * free) / perImage), Math.floor(images / 2));
  return most >= 8 ? most - (most % 8) : Math.max(1, most);
}

/** What was asked for, without PyTorch's account of all memory and its advice, which stand in the same line. */
const inShort = (message: string): string =>
  message.split('\n')[0]!.replace(/(Tried to allocate [\d.]+ \w+)\. .*?( \(given .*)?$/, '$1$2');

/** An error of the addon's as it is, or, where the memory was full, as ENGINE_MEMORY with what helps. */
export function memoryError(error: unknown, native: Native, demand?: Demand): unknown {
  if ((error as { code?: string }).code !== 'TORCH_MEMORY') return error;
  const { where, free, inUse } = freeMemory(native);
  const held = inUse === undefined ? '' : ` (${megabytes(inUse)} in use, ${megabytes(free)} free)`;
  const message = inShort((error as Error).message);
  const batch = demand ? `a data.batchSize of about ${fitting(demand, free)} fits` : 'use a smaller data.batchSize';
  return new BulwarkError('ENGINE_MEMORY', `the ${where} is full${held}: ${message}`, {
    hint: `${batch}; computeDtype bfloat16 or accumulate need less; see who else uses it (nvidia-smi)`,
    cause: error,
  });
}
