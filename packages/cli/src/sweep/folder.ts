import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { digestOf, writeAtomically } from '@bulwark/core/files';
import { versions } from '@bulwark/core/run';
import type { Sweep } from './sweep-file.js';

/** What `sweep.json` holds: everything that the jobs are made from, so that edited files do not change a sweep on its way. */
interface Frozen {
  readonly sweep: Sweep;
  readonly bulwark: string;
  /** Of what is computed; where it runs may change. */
  readonly digest: string;
}

const fileOf = (folder: string) => join(folder, 'sweep.json');

const digestOfSweep = ({ launcher: _where, plugins: _who, name: _name, folder: _from, ...computes }: Sweep) =>
  digestOf(computes);

const freeze = (folder: string, sweep: Sweep) => {
  const frozen: Frozen = { sweep, bulwark: versions()['bulwark']!, digest: digestOfSweep(sweep) };
  writeAtomically(fileOf(folder), `${JSON.stringify(frozen, null, 2)}\n`);
};

const parsed = (text: string): Partial<Frozen> => {
  try {
    return JSON.parse(text) as Frozen;
  } catch {
    return { digest: '' };
  }
};

/** Opens a sweep that has begun. @throws BulwarkError RUN_MISSING, RUN_CORRUPT */
export function openSweep(folder: string): Sweep {
  const file = fileOf(folder);
  const { sweep, digest } = existsSync(file) ? parsed(readFileSync(file, 'utf8')) : {};
  if (digest === undefined)
    throw new BulwarkError('RUN_MISSING', `${folder} is not the folder of a sweep`, {
      hint: 'give the folder that `bulwark sweep <file>` wrote, for example runs/<name>',
    });
  if (sweep && digest === digestOfSweep(sweep)) return sweep;
  throw new BulwarkError('RUN_CORRUPT', `${file} is damaged or was changed`, {
    hint: 'give the sweep file again, with --out for another folder',
  });
}

/** Begins a sweep in a folder, or goes on with the same one there. @throws BulwarkError RUN_EXISTS, RUN_CORRUPT, RUN_WRITE */
export function beginSweep(folder: string, sweep: Sweep): void {
  if (existsSync(fileOf(folder)) && digestOfSweep(openSweep(folder)) !== digestOfSweep(sweep))
    throw new BulwarkError('RUN_EXISTS', `${folder} holds another sweep`, {
      hint: 'choose another folder with --out, or go on with the one there: bulwark sweep --resume <folder>',
    });
  if (existsSync(join(folder, 'config.json')))
    throw new BulwarkError('RUN_EXISTS', `${folder} holds a run`, { hint: 'choose another folder with --out' });
  freeze(folder, sweep);
}
