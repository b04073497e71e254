import { copyFileSync, existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BulwarkError } from '../errors.js';
import type { CheckpointKind, Snapshot } from '../trainer/index.js';
import { syncFolder, writeAtomically, writeFailure } from './atomic-write.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';
import type { RunFolder } from './run-folder.js';

/** What stands in for a `last` that is damaged or gone: older states of the same run, from which it goes on to the same end. */
const standIns = ['previous', 'epoch', 'best'] as const;

/**
 * Checkpoints as files. The old `last` stays, as `previous`, until the new one is whole. A snapshot under several names is written
 * once: files are only ever replaced, never changed, so the names can share one.
 */
export function checkpointFiles(folder: string): RunFolder['checkpoints'] {
  const file = (name: string) => join(folder, `${name}.safetensors`);
  const names = (kind: CheckpointKind) => (kind === 'last' ? [kind, ...standIns] : [kind]);
  const read = (name: string): Snapshot => {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(file(name));
    } catch (cause) {
      const { message } = cause as Error;
      throw new BulwarkError('CHECKPOINT_CORRUPT', `${file(name)} cannot be read: ${message}`, { cause });
    }
    return decodeCheckpoint(bytes, file(name));
  };
  return {
    has: (kind) => names(kind).some((name) => existsSync(file(name))),
    save(kinds, snapshot) {
      const next = file('next');
      writeAtomically(next, encodeCheckpoint(snapshot));
      try {
        for (const kind of kinds) {
          if (kind === 'last' && existsSync(file('last'))) renameSync(file('last'), file('previous'));
          share(next, file(`${kind}.next`));
          renameSync(file(`${kind}.next`), file(kind));
        }
        rmSync(next);
        syncFolder(folder);
      } catch (error) {
        throw writeFailure(folder, error);
      }
    },
    load(kind) {
      let failure: unknown;
      for (const name of names(kind).filter((candidate) => existsSync(file(candidate)))) {
        try {
          return read(name);
        } catch (error) {
          failure ??= error;
        }
      }
      throw (
        failure ??
        new BulwarkError('CHECKPOINT_MISSING', `${folder} has no ${kind} checkpoint`, {
          cure: `train the run first: bulwark train --resume ${dirname(folder)}`,
        })
      );
    },
  };
}

/** A second name for a file, or a copy where the file system knows no links. */
function share(from: string, to: string): void {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** Removes what a killed process left half-written. Call it only while holding the run's lock. */
export function sweepFolder(path: string): void {
  for (const folder of [path, join(path, 'checkpoints')])
    for (const name of existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [])
      if (/\.tmp-\d+$|(^|\.)next\.safetensors$/.test(name)) rmSync(join(folder, name), { force: true });
}
