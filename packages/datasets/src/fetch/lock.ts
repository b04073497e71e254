import { mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync, closeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { BulwarkError } from '@bulwark/core';

interface Holder {
  readonly pid: number;
  readonly host: string;
}

const isAlive = ({ pid, host }: Holder): boolean => {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Who holds the lock; undefined if the file is gone or says nothing. */
function holderOf(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function tryLock(path: string): boolean {
  try {
    const handle = openSync(path, 'wx');
    writeSync(handle, JSON.stringify({ pid: process.pid, host: hostname() } satisfies Holder));
    closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new BulwarkError('DATA_FETCH', `${path} cannot be written: ${(error as Error).message}`, {
      cure: 'choose another place with the environment variable BULWARK_DATA',
      cause: error,
    });
  }
}

/**
 * Runs `work` while holding a lock file, so that two processes do not write one folder. A lock left by a process that has died is taken over.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw new BulwarkError('DATA_FETCH', `${dirname(path)} cannot be made: ${(cause as Error).message}`, {
      cure: 'choose another place with the environment variable BULWARK_DATA',
      cause,
    });
  }
  if (!tryLock(path)) {
    const holder = holderOf(path);
    const busy = () =>
      new BulwarkError('DATA_FETCH', `process ${holder?.pid ?? '?'} is fetching this data set already (lock ${path})`, {
        cure: 'wait for it; if no such process runs, remove the lock file',
      });
    if (!holder || isAlive(holder)) throw busy();
    // of several that find the dead lock, only one can move it away
    const stale = `${path}.${process.pid}`;
    try {
      renameSync(path, stale);
    } catch {
      throw busy();
    }
    rmSync(stale, { force: true });
    if (!tryLock(path)) throw busy();
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}
