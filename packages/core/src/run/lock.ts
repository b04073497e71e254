import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BulwarkError } from '../errors.js';
import { tryLockFile, type FileLock, type LockOwner } from '../files/index.js';
import { inRun } from './run-write.js';

/** Keeps other processes out of a run folder. */
export type RunLock = FileLock;

/**
 * Keeps every other process out of a run folder until it is released, or this process is gone.
 * @throws BulwarkError RUN_LOCKED, RUN_WRITE
 */
export function lockRunFolder(folder: string): RunLock {
  const path = join(folder, 'run.lock');
  const lock = inRun(path, () => {
    mkdirSync(folder, { recursive: true });
    return tryLockFile(path);
  });
  if ('release' in lock) return lock;
  const { heldBy } = lock;
  const elsewhere = heldBy && heldBy.host !== hostname();
  const who = heldBy ? `process ${heldBy.pid}${elsewhere ? ` on ${heldBy.host}` : ''}` : 'another process';
  throw new BulwarkError('RUN_LOCKED', `${who} is working in ${folder}`, {
    hint: `wait until it ends or stop it${elsewhere ? `; if it is certainly gone, delete ${path}` : ''}`,
  });
}

/** Who keeps others out of a folder at this moment, if anybody does and says who it is. */
export function lockHolder(folder: string): LockOwner | undefined {
  const lock = tryLockFile(join(folder, 'run.lock'));
  if (!('release' in lock)) return lock.heldBy;
  lock.release();
  return undefined;
}
