import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { z } from 'zod';

export const folderOption = z
  .string()
  .optional()
  .describe(
    'folder that holds the files; default: the folder of this name in $BULWARK_DATA, or in ~/.cache/bulwark/data',
  );

/** Where data sets are kept: `$BULWARK_DATA`, else `~/.cache/bulwark/data`. */
export const dataRoot = (): string => process.env['BULWARK_DATA'] || join(homedir(), '.cache', 'bulwark', 'data');

/** The folder of a data set: the option if given (relative to the config's folder), else its own in the data root. */
export function dataFolder(
  name: string,
  options: { folder?: string | undefined; baseFolder?: string | undefined },
): string {
  if (options.folder === undefined) return join(dataRoot(), name);
  return isAbsolute(options.folder) ? options.folder : resolve(options.baseFolder ?? '.', options.folder);
}

/** A file under the first of these names that exists in the folder. */
export function findFile(folder: string, names: readonly string[]): string | undefined {
  return names.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Like `findFile`, for a file that must be there. */
export function needFile(folder: string, names: readonly string[], dataset: string): string {
  const found = findFile(folder, names);
  if (found) return found;
  throw new BulwarkError('DATA_MISSING', `${dataset}: ${folder} has no ${names[0]}`, {
    hint: `run \`bulwark data fetch ${dataset}\` (with --from <folder or url> for a copy of yours), or name its folder: data.folder`,
  });
}
