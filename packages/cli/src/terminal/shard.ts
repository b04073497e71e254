import { BulwarkError } from '@bulwark/core';

/** One of several parts of some work; `index` counts from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * Reads `3/8`: the third of eight.
 * @throws BulwarkError USAGE
 */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (index !== undefined && shard.index >= 1 && shard.index <= shard.count) return shard;
  throw new BulwarkError('USAGE', `--shard is ${text}`, { hint: 'write --shard 3/8 for the third of eight' });
}
