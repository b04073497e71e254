import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BulwarkError } from '../errors.js';

const hints: Record<string, string> = {
  ENOSPC: 'free disk space',
  EDQUOT: 'free disk space: the quota is used up',
  EFBIG: 'raise the limit on the size of files (ulimit -f)',
  EROFS: 'choose a folder that can be written',
  EACCES: 'make the folder writable, or choose another',
  EPERM: 'make the folder writable, or choose another',
  ENOTDIR: 'choose a path whose folders are folders',
  EEXIST: 'choose a path whose folders are folders',
  EISDIR: 'choose a name that no folder has',
  ENAMETOOLONG: 'choose a shorter name',
  EMFILE: 'raise the limit on open files (ulimit -n)',
  ENFILE: 'raise the limit on open files of this machine',
};

/** What to do about a file operation that failed with this code. */
export const hintOf = (error: unknown): string =>
  hints[(error as NodeJS.ErrnoException).code ?? ''] ?? 'check the path and the disk';

/** Says in our words why a file could not be written. */
export const writeFailure = (path: string, error: unknown): BulwarkError =>
  error instanceof BulwarkError
    ? error
    : new BulwarkError('FILE_WRITE', `cannot write ${path}: ${(error as Error).message}`, {
        hint: hintOf(error),
        cause: error,
      });

/** Systems on which folders cannot be opened or synced say one of these; there the rename itself has to do. */
const noFolderSync = new Set(['EISDIR', 'EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EBADF', 'ENOSYS']);

/** Makes renames in a folder last through a power failure, where the system can. */
export function syncFolder(path: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(path, 'r');
    fsyncSync(folder);
  } catch (error) {
    if (!noFolderSync.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

/** Makes the content of a file last through a power failure. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const temporaryName = /\.[0-9a-f]{12}\.tmp$/;

/** Is this the name of a half-written file? */
export const isTemporary = (name: string): boolean => temporaryName.test(name);

/** A writer touches its file all the time; what nobody has touched for this long was left by a process that was killed. */
const abandonedAfter = 10 * 60_000;

function sweepAbandoned(path: string): void {
  try {
    const folder = dirname(path);
    for (const name of readdirSync(folder)) {
      if (!isTemporary(name) || name.replace(temporaryName, '') !== basename(path)) continue;
      const file = join(folder, name);
      if (Date.now() - statSync(file).mtimeMs > abandonedAfter) rmSync(file);
    }
  } catch {
    // another process was faster, or this one may not: it does no harm where it is
  }
}

/** Where a path leads, through links; the path itself if nothing is there yet. */
function destination(path: string): { path: string; mode?: number; device?: boolean } {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return { path };
  if (found.isFile()) return { path: realpathSync(path), mode: found.mode & 0o777 };
  return { path, device: found.isCharacterDevice() || found.isFIFO() };
}

/**
 * Writes a file so that it is either the old one or the whole new one, whatever happens: temporary file, sync, rename. Makes
 * the folders above it. Devices and pipes are written to as they are.
 * @throws BulwarkError FILE_WRITE
 */
export function writeAtomically(path: string, content: Uint8Array | string): void {
  let temporary: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const target = destination(path);
    if (target.device) return writeFileSync(path, content);
    const name = `${target.path}.${randomBytes(6).toString('hex')}.tmp`;
    // 'wx': never through a link that someone laid there
    const file = openSync(name, 'wx', target.mode ?? 0o666);
    temporary = name;
    try {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(name, target.path);
    temporary = undefined;
    syncFolder(dirname(target.path));
    sweepAbandoned(target.path);
  } catch (error) {
    try {
      if (temporary !== undefined) rmSync(temporary, { force: true });
    } catch {
      // what kept it from being written keeps it from being removed
    }
    throw writeFailure(path, error);
  }
}
