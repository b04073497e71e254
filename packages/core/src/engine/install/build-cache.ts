import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { cacheFolder } from '../cache-folder.js';
import { withLock } from './lock.js';

/** A finished build of an engine's native part, as the file of its slot describes it. */
export interface Build {
  /** Its own folder, below the cache folder. */
  readonly folder: string;
  /** Disk space below `folder`. */
  readonly bytes: number;
  /** When it was made. */
  readonly installed: string;
}

/** What a builder finds out about what it built. */
export type Built<B extends Build> = Omit<B, keyof Build>;

/** Why there is nothing to use. */
export interface Useless {
  readonly reason: string;
}

/** Builds of one engine in Bulwark's cache folder: one slot for each thing that a build depends on, each with at most one build. */
export interface BuildCache<B extends Build> {
  /** Where they lie. */
  folder(): string;
  /** Names of the slots that are taken, on whichever platform. */
  slots(): readonly string[];
  /** The build in a slot, or why there is none to use. */
  read(slot: string): B | Useless;
  /**
   * Fills a slot, unless what is there works: in a folder of its own, which takes the place of the one before in one step when it is
   * finished. A failed or interrupted build leaves the one before untouched. One install at a time.
   * @throws BulwarkError ENGINE_INSTALL, and whatever `make` throws
   */
  fill(
    slot: string,
    how: {
      /** Whether a build that is there may stay. */
      keep(build: B): Promise<boolean>;
      make(folder: string): Promise<Built<B>>;
    },
  ): Promise<B>;
  /** Removes all builds. */
  clear(): Promise<void>;
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries.filter((entry) => entry.isFile()).map((entry) => lstat(join(entry.parentPath, entry.name))),
  );
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** The builds of an engine; `whyUseless` says what a build lacks by now, for example a library that it uses and that was removed. */
export function buildCache<B extends Build>({
  engine,
  whyUseless,
}: {
  engine: string;
  whyUseless(build: B): string | undefined;
}): BuildCache<B> {
  const folder = (): string => join(cacheFolder(), 'engines', engine);
  const again = `run \`bulwark engine install ${engine} --force\``;
  // A slot is one small file that names its build's folder: replacing a file is atomic on every platform, a folder is not.
  const slotFile = (slot: string): string => join(folder(), `${slot}.json`);
  const entries = (): string[] => (existsSync(folder()) ? readdirSync(folder()) : []);
  const slots = (): string[] =>
    entries()
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length));

  const read = (slot: string): B | Useless => {
    let build: B;
    try {
      build = JSON.parse(readFileSync(slotFile(slot), 'utf8')) as B;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { reason: `nothing installed for ${slot}` };
      return { reason: `${slotFile(slot)} is damaged: ${again}` };
    }
    if (!existsSync(build.folder)) return { reason: `the build in ${build.folder} is gone: ${again}` };
    const lack = whyUseless(build);
    return lack === undefined ? build : { reason: `${lack}: ${again}` };
  };

  /** Puts a finished build into its slot in one step, then frees the folder of the one that it replaces. */
  const commit = async (slot: string, build: B): Promise<void> => {
    const before = read(slot);
    const draft = `${slotFile(slot)}.new`;
    await writeFile(draft, `${JSON.stringify(build, null, 2)}\n`);
    await rename(draft, slotFile(slot));
    if (!('reason' in before) && before.folder !== build.folder)
      await rm(before.folder, { recursive: true, force: true });
  };

  /** Deletes builds that no slot names: what failed or interrupted installs left. */
  const sweep = async (): Promise<void> => {
    const used = new Set(slots().flatMap((slot) => namedFolder(slotFile(slot))));
    const builds = entries()
      .filter((name) => name.startsWith('build-'))
      .map((name) => join(folder(), name));
    await Promise.all(
      builds.filter((each) => !used.has(each)).map((each) => rm(each, { recursive: true, force: true })),
    );
  };

  const build = async (slot: string, make: (folder: string) => Promise<Built<B>>): Promise<B> => {
    await sweep();
    const own = join(folder(), `build-${slot}-${Date.now()}`);
    try {
      await mkdir(own, { recursive: true });
      const built = await make(own);
      const finished = { ...built, folder: own, bytes: await sizeOf(own), installed: new Date().toISOString() } as B;
      await commit(slot, finished);
      return finished;
    } catch (error) {
      await rm(own, { recursive: true, force: true });
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new BulwarkError('ENGINE_INSTALL', `the disk of ${folder()} is full`, {
        hint: 'free some space, or set BULWARK_CACHE',
        cause: error,
      });
    }
  };
  const alone = <T>(work: () => Promise<T>): Promise<T> => withLock(join(folder(), 'lock'), engine, work);

  return {
    folder,
    slots,
    read,
    fill: (slot, { keep, make }) =>
      alone(async () => {
        const present = read(slot);
        return !('reason' in present) && (await keep(present)) ? present : build(slot, make);
      }),
    clear: () =>
      alone(async () => {
        const all = entries().filter((name) => name !== 'lock');
        await Promise.all(all.map((name) => rm(join(folder(), name), { recursive: true, force: true })));
      }),
  };
}

/** The folder that a slot's file names; a damaged one names none. */
function namedFolder(file: string): string[] {
  try {
    return [(JSON.parse(readFileSync(file, 'utf8')) as Build).folder];
  } catch {
    return [];
  }
}
