import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';

/** Who holds a lock, for people to read. That it is held, the kernel knows. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** Identifier of the machine's boot, where the system tells: containers of one machine share it. */
  readonly boot?: string;
  /** The job that the process belongs to, if a launcher started it. */
  readonly job?: string;
}

/** A lock that this process holds. */
export interface FileLock {
  /** Lets others in. */
  release(): void;
}

const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

const self = (): LockOwner => {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const job = process.env['BULWARK_JOB'];
  return { pid: process.pid, host: hostname(), ...(boot !== undefined && { boot }), ...(job && { job }) };
};

/** The lock of an open file: the kernel drops it when the file is closed, or its process is gone, however it ended. */
type TryLock = (file: number) => boolean;

/**
 * Node.js has none of its own. The package brings its binaries along, so that installing it neither downloads nor compiles; where it
 * has none, or the file system knows no locks, nobody is kept out, and a warning says so.
 */
function kernelLock(file: number, path: string): boolean {
  try {
    const { tryLock } = createRequire(import.meta.url)('fs-native-extensions') as { tryLock: TryLock };
    return tryLock(file);
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    process.emitWarning(`${path}: no lock can be had here (${why}); let no second process work in the same folder`);
    return true;
  }
}

const isOwner = (value: unknown): value is LockOwner =>
  typeof value === 'object' &&
  value !== null &&
  Number.isInteger((value as LockOwner).pid) &&
  typeof (value as LockOwner).host === 'string';

/** What the holder wrote into the file; undefined while it writes. */
function ownerIn(file: number): LockOwner | undefined {
  const bytes = Buffer.alloc(1024);
  const text = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)).toString('utf8');
  const value = attempt(() => JSON.parse(text) as unknown);
  return isOwner(value) ? value : undefined;
}

/**
 * Another machine's kernel has its own locks, and not every shared file system passes them on: what it has not released is respected. After
 * a restart of this machine, and between containers on it, the kernel decides. A job is started again, on whatever machine, only after it has
 * ended: what its earlier attempt holds is free.
 */
const isElsewhere = (owner: LockOwner, here: LockOwner) =>
  owner.host !== here.host &&
  (owner.boot === undefined || owner.boot !== here.boot) &&
  (owner.job === undefined || owner.job !== here.job);

/** Does the path still lead to this open file? */
function isAt(file: number, path: string): boolean {
  const [open, found] = [
    fstatSync(file, { bigint: true }),
    statSync(path, { bigint: true, throwIfNoEntry: false }),
  ] as const;
  return found !== undefined && open.ino === found.ino && open.dev === found.dev;
}

/**
 * Takes a lock by a file that exists while it is held; at once, or not at all. The lock of a process that is gone is free.
 * @returns the lock, or who holds it (unknown while that is being written)
 * @throws Error of the file system
 */
export function tryLockFile(path: string): FileLock | { readonly heldBy: LockOwner | undefined } {
  const { O_RDWR, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  for (;;) {
    const file = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666);
    let held = false;
    try {
      if (!fstatSync(file).isFile()) throw Object.assign(new Error(`${path} is not a file`), { code: 'EINVAL' });
      if (!kernelLock(file, path)) return { heldBy: ownerIn(file) };
      // its holder may have released it, and removed the name, since it was opened: then this is a lock on nothing
      if (!isAt(file, path)) continue;
      const [left, here] = [ownerIn(file), self()];
      if (left && isElsewhere(left, here)) return { heldBy: left };
      ftruncateSync(file);
      writeSync(file, JSON.stringify(here), 0);
      held = true;
      return {
        release() {
          if (!held) return;
          held = false;
          // the name goes while the lock is held, so that nobody's else is taken away
          attempt(() => isAt(file, path) && rmSync(path));
          attempt(() => closeSync(file));
        },
      };
    } finally {
      if (!held) closeSync(file);
    }
  }
}
