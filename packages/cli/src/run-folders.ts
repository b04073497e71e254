import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What is there, through links; undefined also for what may not be looked at, and pipes and the like. */
const kindOf = (path: string): 'file' | 'folder' | undefined => {
  try {
    const found = statSync(path);
    if (found.isFile()) return 'file';
    return found.isDirectory() ? 'folder' : undefined;
  } catch {
    return undefined;
  }
};

const isRun = (path: string): boolean => kindOf(join(path, 'config.json')) !== undefined;

/** A run folder itself, or the runs one level below (as `train --seeds` and `demo` make them); none if it is neither. */
export function runFolders(path: string): string[] {
  if (kindOf(path) !== 'folder') return [];
  if (isRun(path)) return [path];
  return readdirSync(path)
    .map((name) => join(path, name))
    .filter(isRun)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** Names of the regular files below a folder that end so, sorted; none if there is no such folder. */
export function filesBelow(folder: string, ending: string): string[] {
  if (kindOf(folder) !== 'folder') return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && kindOf(join(folder, name)) === 'file')
    .sort();
}
