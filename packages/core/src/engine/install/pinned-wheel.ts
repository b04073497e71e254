import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { run, type RunResult } from './run.js';

/** A release of a Python package, with the digests of those of its files that are known here. */
export interface PinnedWheel {
  /** `name==version`. */
  readonly requirement: string;
  /** SHA-256 of its wheels in hex, for any platform and Python. Empty: none is known, and pip compares with its index only. */
  readonly sha256: readonly string[];
}

const timeoutMs = 45 * 60_000;

/**
 * Has pip download or install one wheel without what it depends on; where digests are known, no other file than theirs.
 * @param command `pip`'s words before the requirement: `['download', '--dest', folder]`
 * @param folder where a file for pip may lie meanwhile
 * @returns how pip ended, if it got no file at all
 * @throws BulwarkError ENGINE_INSTALL for another file than the known ones
 */
export async function pipWheel(
  python: string,
  { requirement, sha256 }: PinnedWheel,
  { command, folder }: { command: readonly string[]; folder: string },
): Promise<RunResult> {
  const file = join(folder, 'requirements.txt');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${[requirement, ...sha256.map((each) => `--hash=sha256:${each}`)].join(' ')}\n`);
  const pinned = sha256.length > 0 ? ['--require-hashes'] : [];
  const words = [...command, '--no-deps', '--only-binary=:all:', '--no-input', ...pinned, '-r', file];
  const result = await run(python, ['-m', 'pip', ...words], { timeoutMs });
  await rm(file, { force: true });
  if (result.code !== 0 && /DO NOT MATCH THE HASHES/.test(result.tail))
    throw new BulwarkError(
      'ENGINE_INSTALL',
      `pip gave another ${requirement} than the one known here:\n${result.tail}`,
      {
        hint: "ask Python's package index itself: pip config list, pip cache purge; do not use this package",
      },
    );
  return result;
}

/** SHA-256 of a file of any size, in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The line that says of a wheel that no digest is known of it. */
export const unknownWheel = (what: string, digest?: string): string =>
  `no digest of ${what} is known here for ${process.platform}-${process.arch}: pip compares it with its index only${digest === undefined ? '' : `. It has sha256 ${digest}`}`;
