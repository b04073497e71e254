import type * as nodeFs from 'node:fs';
import { sep } from 'node:path';

type Fs = typeof nodeFs;

/** What goes wrong at one file operation. */
export interface FileFault {
  /** Which operation on files below the root, from 0. */
  readonly at: number;
  /** `half`: after half of what a write or a copy writes; operations that are whole or not at all have no half. */
  readonly when: 'before' | 'half' | 'after';
  /** `kill`: the process is gone, nothing it still tries has an effect. `ENOSPC`: the disk is full and stays so. `EIO`: this once. */
  readonly what: 'kill' | 'ENOSPC' | 'EIO';
}

/** Thrown at whoever works on after being killed. */
export class Killed extends Error {
  constructor() {
    super('this process was killed');
    this.name = 'Killed';
  }
}

/** Operations that need space on the disk. */
const growing = new Set(['writeSync', 'writeFileSync', 'appendFileSync', 'mkdirSync', 'linkSync', 'copyFileSync']);
const byPath = [
  ...['openSync', 'readFileSync', 'writeFileSync', 'appendFileSync', 'renameSync', 'linkSync', 'copyFileSync'],
  ...['rmSync', 'unlinkSync', 'mkdirSync', 'readdirSync', 'statSync', 'lstatSync', 'existsSync', 'realpathSync'],
] as const;
const byDescriptor = ['readSync', 'writeSync', 'fsyncSync', 'ftruncateSync', 'fstatSync', 'closeSync'] as const;

type Call = (...given: unknown[]) => unknown;

/** File functions that fail on demand. */
export interface FaultyFiles {
  /** To be put in place of those of `node:fs`. */
  readonly functions: Readonly<Record<string, Call>>;
  /** Begins to count anew; without a fault, everything works. @param links whether the file system knows hard links */
  begin(fault?: FileFault, links?: boolean): void;
  /** Operations since then. */
  readonly operations: number;
  /** Whether the fault has happened. */
  readonly happened: boolean;
  /** What a system does when a process is gone: closes its files. */
  reboot(): void;
}

const failure = (code: string, text: string, call: string) =>
  Object.assign(new Error(`${code}: ${text}, ${call.replace('Sync', '')}`), { code, syscall: call });

/**
 * The synchronous functions of `node:fs`, with a fault at a chosen operation on files below `root`: for tests of what a stop, a full disk
 * or a bad one leaves behind.
 */
export function faultyFiles(real: Fs, root: string): FaultyFiles {
  const functions = real as unknown as Record<string, Call>;
  const original = Object.fromEntries([...byPath, ...byDescriptor].map((name) => [name, functions[name]!]));
  // what a power failure would lose cannot be seen from here, and waiting for the disk takes most of the time
  original['fsyncSync'] = () => undefined;
  const descriptors = new Set<number>();
  let fault: FileFault | undefined;
  let links = true;
  let [operations, happened, dead, full] = [0, false, false, false];

  const inside = (path: unknown) => typeof path === 'string' && (path === root || path.startsWith(root + sep));

  /** Half of what a call writes. */
  const writeHalf = (name: string, given: unknown[]): boolean => {
    if (name === 'writeSync') {
      const [file, bytes, offset = 0, length = (bytes as Uint8Array).byteLength - (offset as number)] = given;
      original['writeSync']!(file, bytes, offset, Math.floor((length as number) / 2));
    } else if (name === 'appendFileSync') {
      const text = given[1] as string;
      original['appendFileSync']!(given[0], text.slice(0, Math.floor(text.length / 2)));
    } else if (name === 'copyFileSync') {
      original['copyFileSync']!(given[0], given[1]);
      real.truncateSync(given[1] as string, Math.floor(real.statSync(given[1] as string).size / 2));
    } else return false;
    return true;
  };

  const creates = (name: string, [, flags]: unknown[]) =>
    name === 'openSync' &&
    (typeof flags === 'number' ? (flags & real.constants.O_CREAT) !== 0 : /^[wa]/.test(String(flags)));

  const fail = (name: string, what: FileFault['what']): unknown => {
    happened = true;
    if (what === 'kill') {
      dead = true;
      throw new Killed();
    }
    if (what === 'ENOSPC') full = true;
    if (name === 'existsSync') return false;
    throw what === 'ENOSPC'
      ? failure('ENOSPC', 'no space left on device', name)
      : failure('EIO', 'input/output error', name);
  };

  const guarded =
    (name: string, concerns: (given: unknown[]) => boolean): Call =>
    (...given) => {
      if (!concerns(given)) return original[name]!(...given);
      if (dead) throw new Killed();
      const grows = growing.has(name) || creates(name, given);
      if (full && grows) return fail(name, 'ENOSPC');
      const now = operations++;
      const hit = fault?.at === now && !happened && (fault.what !== 'ENOSPC' || grows) ? fault : undefined;
      if (hit?.when === 'before') return fail(name, hit.what);
      if (hit?.when === 'half' && writeHalf(name, given)) return fail(name, hit.what);
      if (name === 'linkSync' && !links) throw failure('EPERM', 'operation not permitted', name);
      const result = original[name]!(...given);
      if (name === 'openSync') descriptors.add(result as number);
      if (name === 'closeSync') descriptors.delete(given[0] as number);
      if (hit?.when === 'after') return fail(name, hit.what);
      return result;
    };

  return {
    functions: Object.fromEntries([
      ...byPath.map((name) => [name, guarded(name, ([first, second]) => inside(first) || inside(second))] as const),
      ...byDescriptor.map((name) => [name, guarded(name, ([file]) => descriptors.has(file as number))] as const),
    ]),
    begin(next, withLinks = true) {
      fault = next;
      links = withLinks;
      [operations, happened, dead, full] = [0, false, false, false];
    },
    get operations() {
      return operations;
    },
    get happened() {
      return happened;
    },
    reboot() {
      for (const descriptor of descriptors) original['closeSync']!(descriptor);
      descriptors.clear();
    },
  };
}
