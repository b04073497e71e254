import { existsSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';

/** The folder that a run's config refers to, as it is seen from the run: projects are moved and copied as a whole. */
export const baseFromRun = (path: string, baseFolder: string): string =>
  relative(resolve(path), resolve(baseFolder)).split(sep).join('/') || '.';

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** All texts of a config that may be relative paths. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return isAbsolute(value) ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => (key === 'use' ? [] : textsIn(part)));
}

/** The first relative path of a config that is a file or folder in one of these folders. */
export const relativeFile = (config: unknown, folders: readonly string[]): string | undefined =>
  textsIn(config).find((name) => folders.some((folder) => existsSync(resolve(folder, name))));

/**
 * Where relative paths of a run's config refer to now. If run and config have moved together, that is the folder in the same place as seen
 * from the run, and never the old one, which may hold other data by now; if the run alone has moved, it is the folder as it was written.
 */
export function baseFolderNow(
  path: string,
  frozen: { readonly baseFolder: string; readonly baseFromRun?: string | undefined; readonly config: object },
): string {
  const { baseFolder: written, baseFromRun: seen, config } = frozen;
  if (seen === undefined) return written;
  const moved = resolve(path, seen);
  if (moved === resolve(written) || !isFolder(moved)) return written;
  if (!isFolder(written)) return moved;
  const files = textsIn(config).filter(
    (name) => existsSync(resolve(written, name)) || existsSync(resolve(moved, name)),
  );
  return files.length > 0 && files.every((name) => existsSync(resolve(moved, name))) ? moved : written;
}
