import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../cache-folder.js';
import { folderPrefix, noteOf, readNote, type Build, type Built } from './build.js';
import { diskError } from './disk-errors.js';
import { withLock } from './lock.js';

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
   * finished. A failed or interrupted build leaves the one before untouched. One install at a time; a build that may stay needs no writable folder.
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

/** What lies in a cache. */
export interface BuildKind<B extends Build> {
  readonly engine: string;
  /** Properties of a build that are paths. The cache and what it uses may move: paths are noted as they lie to the build, too. */
  readonly paths?: readonly (keyof B & string)[];
  /** What a build lacks by now, for example a library that it uses and that was removed. */
  whyUseless(build: B): string | undefined;
}

/** The builds of an engine. */
export function buildCache<B extends Build>({ engine, paths = [], whyUseless }: BuildKind<B>): BuildCache<B> {
  const folder = (): string => join(cacheFolder(), 'engines', engine);
  const again = `run \`bulwark engine install ${engine} --force\``;
  // A slot is one small file that names its build's folder: replacing a file is atomic on every platform, a folder is not.
  const slotFile = (slot: string): string => join(folder(), `${slot}.json`);
  /** Where there is no such folder, or none that may be read, nothing is installed. */
  const entries = (): string[] => {
    try {
      return readdirSync(folder());
    } catch {
      return [];
    }
  };
  const slots = (): string[] =>
    entries()
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length));

  /** @throws Error of the file system */
  const noted = (slot: string): B | undefined =>
    readNote<B>(readFileSync(slotFile(slot), 'utf8'), { within: folder(), paths });

  const read = (slot: string): B | Useless => {
    try {
      const build = noted(slot);
      if (!build) return { reason: `${slotFile(slot)} is damaged: ${again}` };
      if (!existsSync(build.folder)) return { reason: `the build in ${build.folder} is gone: ${again}` };
      const lack = whyUseless(build);
      return lack === undefined ? build : { reason: `${lack}: ${again}` };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return { reason: `nothing installed for ${slot}` };
      return { reason: `${slotFile(slot)} cannot be used (${message}): ${again}` };
    }
  };

  /** Puts a finished build into its slot in one step, then frees the folder of the one that it replaces. */
  const commit = async (slot: string, build: B): Promise<void> => {
    const before = existsSync(slotFile(slot)) ? noted(slot)?.folder : undefined;
    const draft = `${slotFile(slot)}.new`;
    await writeFile(draft, `${JSON.stringify(noteOf(build, paths), null, 2)}\n`);
    await rename(draft, slotFile(slot));
    if (before !== undefined && before !== build.folder) await rm(before, { recursive: true, force: true });
  };

  /** Deletes builds that no slot names: what failed or interrupted installs left. */
  const sweep = async (): Promise<void> => {
    const used = new Set(slots().map((slot) => noted(slot)?.folder));
    const builds = entries()
      .filter((name) => name.startsWith(folderPrefix))
      .map((name) => join(folder(), name));
    await Promise.all(
      builds.filter((each) => !used.has(each)).map((each) => rm(each, { recursive: true, force: true })),
    );
  };

  const build = async (slot: string, make: (folder: string) => Promise<Built<B>>): Promise<B> => {
    await sweep();
    const own = join(folder(), `${folderPrefix}${slot}-${Date.now()}`);
    try {
      await mkdir(own, { recursive: true });
      const built = await make(own);
      const finished = { ...built, folder: own, bytes: await sizeOf(own), installed: new Date().toISOString() } as B;
      await commit(slot, finished);
      return finished;
    } catch (error) {
      await rm(own, { recursive: true, force: true });
      throw error;
    }
  };
  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await withLock(join(folder(), 'lock'), engine, work);
    } catch (error) {
      throw diskError(error, folder());
    }
  };

  return {
    folder,
    slots,
    read,
    async fill(slot, { keep, make }) {
      const before = read(slot);
      if (!('reason' in before) && (await keep(before))) return before;
      return alone(async () => {
        const now = read(slot);
        // somebody else may have finished one meanwhile
        const isNew = !('reason' in now) && ('reason' in before || now.installed !== before.installed);
        return isNew && (await keep(now)) ? now : build(slot, make);
      });
    },
    clear: () =>
      alone(async () => {
        const all = entries().filter((name) => name !== 'lock');
        await Promise.all(all.map((name) => rm(join(folder(), name), { recursive: true, force: true })));
      }),
  };
}
