import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { tryLockFile } from '../../files/index.js';

/** Runs `work`, an engine's install, while this process alone holds the lock file. @throws BulwarkError ENGINE_INSTALL */
export async function withLock<T>(file: string, engine: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const lock = tryLockFile(file);
  if (!('release' in lock)) {
    const { heldBy } = lock;
    const process = heldBy ? ` (process ${heldBy.pid})` : '';
    throw new BulwarkError('ENGINE_INSTALL', `another install of the ${engine} engine is running${process}`, {
      hint: `wait for it to end; if it ran on a machine that is gone, delete ${file}`,
    });
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}
