import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { placesOf } from './search-path.js';

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

/** How the names of builds' folders begin. */
export const folderPrefix = 'build-';

/** What the file of a slot says of a build. The cache and what a build uses may move, so paths are noted as they lie to the build. */
export const noteOf = <B extends Build>(build: B, paths: readonly (keyof B & string)[]): object => ({
  ...build,
  ...Object.fromEntries(
    paths.map((path) => [path, placesOf(String(build[path]), { from: build.folder, build: build.folder })]),
  ),
  folder: basename(build.folder),
});

/** The build of a note in the cache folder `within`, wherever that lies by now; undefined where the note makes no sense. */
export function readNote<B extends Build>(
  text: string,
  { within, paths }: { within: string; paths: readonly (keyof B & string)[] },
): B | undefined {
  let note: Record<string, unknown>;
  try {
    note = { ...(JSON.parse(text) as object) };
  } catch {
    return undefined;
  }
  const { folder: name, bytes, installed } = note;
  if (typeof name !== 'string' || !basename(name).startsWith(folderPrefix)) return undefined;
  if (typeof bytes !== 'number' || typeof installed !== 'string') return undefined;
  const folder = join(within, basename(name));
  const found = paths.map((path) => {
    const places = [note[path]].flat().filter((place) => typeof place === 'string');
    const whole = places.map((place) => resolve(folder, place));
    return [path, whole.find((place) => existsSync(place)) ?? whole[0]] as const;
  });
  if (found.some(([, place]) => place === undefined)) return undefined;
  return { ...note, ...Object.fromEntries(found), folder } as unknown as B;
}
