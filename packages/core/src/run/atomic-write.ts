import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { BulwarkError } from '../errors.js';

const cures: Record<string, string> = {
  ENOSPC: 'free disk space; the run can be resumed afterwards',
  EROFS: 'make the folder writable; the run can be resumed afterwards',
  EACCES: 'make the folder writable; the run can be resumed afterwards',
  EPERM: 'make the folder writable; the run can be resumed afterwards',
};

/** Says in our words why a file operation in a run folder failed. */
export function writeFailure(path: string, error: unknown): BulwarkError {
  const { code = 'unknown error', message } = error as NodeJS.ErrnoException;
  return new BulwarkError('RUN_WRITE', `cannot write ${path}: ${message}`, {
    cure: cures[code] ?? 'check the folder; the run can be resumed afterwards',
    cause: error,
  });
}

/** Makes renames in a folder last through a power failure, where the system can. */
export function syncFolder(path: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(path, 'r');
    fsyncSync(folder);
  } catch {
    // some systems do not open folders; there the rename itself has to do
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

/**
 * Writes a file so that it is either the old one or the whole new one, whatever happens: temporary file, sync, rename.
 * @throws BulwarkError RUN_WRITE
 */
export function writeAtomically(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.tmp-${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(temporary, 'w');
    try {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // what kept it from being written keeps it from being removed
    }
    throw writeFailure(path, error);
  }
}
