import { createHash } from 'node:crypto';
import { hashImages, type ImageSet } from '../batch.js';
import { BulwarkError } from '../errors.js';
import { digestOf } from '../files/index.js';
import type { Snapshot } from '../trainer/index.js';
import type { RunConfig } from './config.js';

/** What may be changed when a run is resumed: how it is looked after, not what it computes. */
export const resumable = ['guard', 'checkpoint', 'callbacks'] as const satisfies readonly (keyof RunConfig)[];

/**
 * Says what a run computes from: its config and its training images. Stands in every checkpoint.
 * @param extended the numbers of epochs that an extended run had before: its checkpoints keep what they began with
 */
export function fingerprintOf(given: RunConfig, train: ImageSet, extended: readonly number[] = []): string {
  const config = { ...given, epochs: extended[0] ?? given.epochs };
  const computes = Object.fromEntries(
    Object.entries(config).filter(([key]) => !(resumable as readonly string[]).includes(key)),
  );
  const { buffer, byteOffset, byteLength } = train.labels;
  const data = hashImages(createHash('sha256'), train)
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
  return `config ${digestOf(computes)} data ${data}`;
}

/**
 * The sections of a changed config that a resumed run may take over; `epochs` may grow.
 * @throws BulwarkError CONFIG_INVALID for any other change
 */
export function onlyResumable(before: RunConfig, after: RunConfig): Partial<RunConfig> {
  const keys = Object.keys({ ...before, ...after }) as (keyof RunConfig)[];
  const allowed = resumable as readonly string[];
  if (after.epochs < before.epochs)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `epochs is ${after.epochs}; the run has ${before.epochs}, and can only be extended`,
      { hint: `set epochs to more than ${before.epochs}, or start a new run` },
    );
  const changed = keys.find(
    (key) => key !== 'epochs' && !allowed.includes(key) && digestOf({ x: before[key] }) !== digestOf({ x: after[key] }),
  );
  if (changed !== undefined)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `${changed} cannot change when a run is resumed; only ${allowed.join(', ')} can, and epochs can grow`,
      {
        hint: 'leave it as it is, or start a new run',
      },
    );
  return { ...Object.fromEntries(resumable.map((key) => [key, after[key]])), epochs: after.epochs };
}

/** @throws BulwarkError CHECKPOINT_CORRUPT or DATA_CORRUPT, if a checkpoint belongs to another config or other images */
export function checkFingerprint(path: string, resumeFrom: Snapshot, fingerprint: string): void {
  const { fingerprint: found = '' } = resumeFrom.state;
  if (found === fingerprint) return;
  if (found.split(' data ')[0] !== fingerprint.split(' data ')[0])
    throw new BulwarkError('CHECKPOINT_CORRUPT', `the checkpoint in ${path} was written by a run with another config`, {
      hint: 'restore the checkpoints that belong to this run',
    });
  throw new BulwarkError('DATA_CORRUPT', `the training images differ from those that the run in ${path} started with`, {
    hint: 'restore the data set, or start a new run',
  });
}
