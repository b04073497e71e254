import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { BulwarkError } from '@bulwark/core';
import type { OtherFiles } from './types.js';

const endings = ['.json', '.json.gz'];

/** The cases that come with Bulwark. */
export const bundledCases = fileURLToPath(new URL('../../cases', import.meta.url));

export const caseName = (file: string): string => file.replace(/\.json(\.gz)?$/, '');

/** Case files of a folder, sorted. @throws BulwarkError USAGE */
export function caseFiles(folder: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new BulwarkError('USAGE', `--cases is ${JSON.stringify(folder)}, which is not a folder`, {
      hint: 'name a folder of golden cases (*.json or *.json.gz)',
    });
  const files = readdirSync(folder).filter((file) => endings.some((ending) => file.endsWith(ending)));
  if (files.length === 0)
    throw new BulwarkError('USAGE', `there is no case in ${folder}`, {
      hint: 'name a folder of golden cases (*.json or *.json.gz)',
    });
  return files.sort();
}

/** Reads a JSON file, gzipped or not. */
export function readCase(path: string): unknown {
  const bytes = readFileSync(path);
  return JSON.parse((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as unknown;
}

/** The files of a folder that have a form; each file is read once, whatever is asked for. */
export function otherFiles(folder: string): OtherFiles {
  let read: unknown[] | undefined;
  const parsed = (file: string): unknown[] => {
    try {
      return [readCase(join(folder, file))];
    } catch {
      return []; // reported where it is a case itself
    }
  };
  return {
    all(has) {
      // only what serves cases is kept: the cases themselves are large
      read ??= caseFiles(folder).flatMap(parsed).filter(servesCases);
      return read.filter(has);
    },
  };
}

/** A file without `runs`, `blocks` or `steps`: weights, images. */
const servesCases = (json: unknown): boolean =>
  typeof json === 'object' && json !== null && ('layers' in json || 'images_uint8' in json);
