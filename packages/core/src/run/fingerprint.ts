import { createHash } from 'node:crypto';
import { hashImages, type ImageSet } from '../batch.js';
import { digestOf } from '../files/index.js';
import type { RunConfig } from './config.js';

/** What may be changed when a run is resumed: how it is looked after, not what it computes. */
export const resumable = ['guard', 'checkpoint'] as const satisfies readonly (keyof RunConfig)[];

/** Says what a run computes from: its config and its training images. Stands in every checkpoint. */
export function fingerprintOf(config: RunConfig, train: ImageSet): string {
  const computes = Object.fromEntries(
    Object.entries(config).filter(([key]) => !(resumable as readonly string[]).includes(key)),
  );
  const { buffer, byteOffset, byteLength } = train.labels;
  const data = hashImages(createHash('sha256'), train)
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
  return `config ${digestOf(computes)} data ${data}`;
}
