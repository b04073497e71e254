import { linkSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { BulwarkError } from '../errors.js';
import { runWriteFailure } from './run-write.js';

/** Who holds a lock. A process id alone is not enough: ids are used again, after a restart all the more. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Identifier of the machine's boot and of the process namespace (containers), where the system tells. */
  readonly boot?: string;
  /** Start of the process in clock ticks since boot, where the system tells. */
  readonly started?: string;
}

const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

const bootOf = () =>
  attempt(
    () => `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`,
  );

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and parentheses. */
const startOf = (pid: number) =>
  attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19]);

const self = (): Owner => ({ pid: process.pid, host: hostname(), boot: bootOf(), started: startOf(process.pid) });

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Whether an owner may still be at work: certainly not after a restart of this machine, or if its process is gone. */
function mayLive(owner: Owner): boolean {
  const here = self();
  if (owner.host !== here.host) return true; // cannot be seen from here
  if (owner.boot !== here.boot) return owner.boot?.split(' ')[0] === here.boot?.split(' ')[0]; // another container
  return runs(owner.pid) && (owner.started === undefined || owner.started === startOf(owner.pid));
}

const isOwner = (value: unknown): value is Owner =>
  typeof value === 'object' && value !== null && Number.isInteger((value as Owner).pid);

/** An empty or torn lock has no owner: it is written in full before it gets its name. */
const ownerIn = (text: string): Owner | undefined => {
  const value = attempt(() => JSON.parse(text) as unknown);
  return isOwner(value) ? value : undefined;
};

/** Keeps other processes out of a run folder. */
export interface RunLock {
  /** Lets them in. */
  release(): void;
}

/**
 * Keeps every other process out of a run folder until it is released. The lock of a process that is gone is taken over.
 * @throws BulwarkError RUN_LOCKED, RUN_WRITE
 */
export function lockRunFolder(folder: string): RunLock {
  const path = join(folder, 'run.lock');
  const mine = `${path}.${process.pid}`;
  const text = JSON.stringify(self());
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(mine, text);
    while (!claimed(mine, path)) {
      const found = attempt(() => readFileSync(path, 'utf8'));
      if (found === undefined) continue; // released in between
      const owner = ownerIn(found);
      if (owner && mayLive(owner)) throw locked(path, owner);
      takeAway(path, found);
    }
  } catch (error) {
    throw error instanceof BulwarkError ? error : runWriteFailure(path, error);
  } finally {
    attempt(() => rmSync(mine, { force: true }));
  }
  return {
    release() {
      if (attempt(() => readFileSync(path, 'utf8')) === text) attempt(() => rmSync(path));
    },
  };
}

const locked = (path: string, { pid, host }: Owner) =>
  new BulwarkError(
    'RUN_LOCKED',
    `process ${pid}${host === hostname() ? '' : ` on ${host}`} is working in ${dirname(path)}`,
    {
      cure: `wait until it ends or stop it; if it is certainly gone, delete ${path}`,
    },
  );

/** Gives the lock its name, unless something has that name already: a link is made whole or not at all. */
function claimed(mine: string, path: string): boolean {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead owner's lock. If another process was faster and the lock is a new one, it is put back. */
function takeAway(path: string, expected: string): void {
  const aside = `${path}.dead-${process.pid}`;
  if (attempt(() => (renameSync(path, aside), true)) === undefined) return;
  if (readFileSync(aside, 'utf8') !== expected) attempt(() => linkSync(aside, path));
  rmSync(aside, { force: true });
}
