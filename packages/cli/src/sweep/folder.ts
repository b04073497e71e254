import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { digestOf, writeAtomically } from '@bulwark/core/files';
import { baseFolderNow, baseFromRun, relativeFile, versions } from '@bulwark/core/run';
import type { Sweep } from './sweep-file.js';

/** What `sweep.json` holds: everything that the jobs are made from, so that edited files do not change a sweep on its way. */
interface Frozen {
  readonly sweep: Sweep;
  readonly bulwark: string;
  /** The folder that the config of the runs refers to, as it is seen from the sweep: projects are moved and copied as a whole. */
  readonly baseFromSweep: string;
  /** Of what is computed; where it runs, and where it lies, may change. */
  readonly digest: string;
}

const fileOf = (folder: string) => join(folder, 'sweep.json');

const digestOfSweep = ({ launcher: _where, plugins: _who, name: _name, folder: _from, base, ...computes }: Sweep) =>
  digestOf({ ...computes, base: base.input });

const freeze = (folder: string, sweep: Sweep) => {
  const frozen: Frozen = {
    sweep,
    bulwark: versions()['bulwark']!,
    baseFromSweep: baseFromRun(folder, sweep.base.baseFolder),
    digest: digestOfSweep(sweep),
  };
  writeAtomically(fileOf(folder), `${JSON.stringify(frozen, null, 2)}\n`);
};

const parsed = (text: string): Partial<Frozen> => {
  try {
    return JSON.parse(text) as Frozen;
  } catch {
    return { digest: '' };
  }
};

/** The sweep with its folders where they are now. */
function whereItIs(folder: string, sweep: Sweep, seen: string | undefined): Sweep {
  const { base } = sweep;
  const baseFolder = baseFolderNow(folder, { baseFolder: base.baseFolder, baseFromRun: seen, config: base.input });
  const from = resolve(baseFolder, relative(base.baseFolder, sweep.folder));
  return { ...sweep, folder: from, base: { ...base, baseFolder } };
}

/** Opens a sweep that has begun. @throws BulwarkError RUN_MISSING, RUN_CORRUPT */
export function openSweep(folder: string): Sweep {
  const file = fileOf(folder);
  const { sweep, digest, baseFromSweep } = existsSync(file) ? parsed(readFileSync(file, 'utf8')) : {};
  if (digest === undefined)
    throw new BulwarkError('RUN_MISSING', `${folder} is not the folder of a sweep`, {
      hint: 'give the folder that `bulwark sweep <file>` wrote, for example runs/<name>',
    });
  if (sweep && digest === digestOfSweep(sweep)) return whereItIs(folder, sweep, baseFromSweep);
  throw new BulwarkError('RUN_CORRUPT', `${file} is damaged or was changed`, {
    hint: 'give the sweep file again, with --out for another folder',
  });
}

/** The same words may name other files. @throws BulwarkError RUN_EXISTS */
function checkSameFiles(
  folder: string,
  there: Sweep,
  { base, name: _name, launcher: _where, folder: _from, ...computes }: Sweep,
): void {
  const folders = [there.base.baseFolder, base.baseFolder];
  if (new Set(folders.map((each) => (existsSync(each) ? realpathSync(each) : each))).size === 1) return;
  const file = relativeFile([base.input, computes], folders);
  if (file === undefined) return;
  throw new BulwarkError(
    'RUN_EXISTS',
    `${folder} holds a sweep with ${file} of ${folders[0]}, and this one has that of ${folders[1]}`,
    { hint: 'choose another folder with --out, or go on with the one there: bulwark sweep --resume <folder>' },
  );
}

/** Begins a sweep in a folder, or goes on with the same one there. @throws BulwarkError RUN_EXISTS, RUN_CORRUPT, RUN_WRITE */
export function beginSweep(folder: string, sweep: Sweep): void {
  const there = existsSync(fileOf(folder)) ? openSweep(folder) : undefined;
  if (there && digestOfSweep(there) !== digestOfSweep(sweep))
    throw new BulwarkError('RUN_EXISTS', `${folder} holds another sweep`, {
      hint: 'choose another folder with --out, or go on with the one there: bulwark sweep --resume <folder>',
    });
  if (there) checkSameFiles(folder, there, sweep);
  if (existsSync(join(folder, 'config.json')))
    throw new BulwarkError('RUN_EXISTS', `${folder} holds a run`, { hint: 'choose another folder with --out' });
  freeze(folder, sweep);
}
