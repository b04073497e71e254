import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { BulwarkError } from '@bulwark/core';

const endings = ['.json', '.json.gz'];

/** The cases that come with Bulwark. */
export const bundledCases = fileURLToPath(new URL('../../cases', import.meta.url));

export const caseName = (file: string): string => file.replace(/\.json(\.gz)?$/, '');

/** Case files of a folder, sorted. @throws BulwarkError USAGE */
export function caseFiles(folder: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new BulwarkError('USAGE', `--cases is ${JSON.stringify(folder)}, which is not a folder`, {
      cure: 'name a folder of golden cases (*.json or *.json.gz)',
    });
  const files = readdirSync(folder).filter((file) => endings.some((ending) => file.endsWith(ending)));
  if (files.length === 0)
    throw new BulwarkError('USAGE', `there is no case in ${folder}`, {
      cure: 'name a folder of golden cases (*.json or *.json.gz)',
    });
  return files.sort();
}

/** Reads a JSON file, gzipped or not. */
export function readCase(path: string): unknown {
  const bytes = readFileSync(path);
  return JSON.parse((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as unknown;
}

/** Path of `<name>.json` or `<name>.json.gz` in a folder. */
export function pathOfCase(folder: string, name: string): string {
  const path = endings.map((ending) => join(folder, `${name}${ending}`)).find((candidate) => existsSync(candidate));
  if (!path) throw new BulwarkError('USAGE', `${name}.json is not in ${folder}, but a case there needs it`);
  return path;
}
