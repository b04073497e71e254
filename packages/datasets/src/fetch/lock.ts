import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { tryLockFile } from '@bulwark/core/files';

/**
 * Runs `work` while this process alone holds a lock file, so that two do not write one folder.
 * @throws BulwarkError DATA_FETCH
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  let lock: ReturnType<typeof tryLockFile>;
  try {
    mkdirSync(dirname(path), { recursive: true });
    lock = tryLockFile(path);
  } catch (cause) {
    throw new BulwarkError('DATA_FETCH', `${path} cannot be written: ${(cause as Error).message}`, {
      hint: 'choose another place with the environment variable BULWARK_DATA',
      cause,
    });
  }
  if (!('release' in lock)) {
    const { heldBy } = lock;
    const who = heldBy
      ? `process ${heldBy.pid}${heldBy.host === hostname() ? '' : ` on ${heldBy.host}`}`
      : 'another process';
    throw new BulwarkError('DATA_FETCH', `${who} is fetching this data set already (lock ${path})`, {
      hint: 'wait for it; if it ran on a machine that is gone, remove the lock file',
    });
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}
