import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Which process something belongs to. An id alone is not enough: ids are used again, after a restart all the more. */
export interface ProcessOwner {
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

/** How a process of this machine is told from all others, before and after it. */
export const processOwner = (pid: number = process.pid): ProcessOwner => ({
  pid,
  host: hostname(),
  boot: bootOf(),
  started: startOf(pid),
});

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Whether a process of this machine may still be at work: certainly not after a restart, or if it is gone. */
export function mayLive(owner: ProcessOwner): boolean {
  const here = processOwner();
  if (owner.host !== here.host) return false; // cannot be seen from here; locks keep its folders safe
  if (owner.boot !== here.boot) return owner.boot?.split(' ')[0] === here.boot?.split(' ')[0]; // another container
  return runs(owner.pid) && (owner.started === undefined || owner.started === startOf(owner.pid));
}
