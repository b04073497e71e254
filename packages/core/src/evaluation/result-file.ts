import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { BulwarkError } from '../errors.js';
import { digestOf, readIfThere, tryLockFile, writeAtomically, writeFailure, type FileLock } from '../files/index.js';
import { parseEvaluation, type EvaluationResult } from './result.js';

/**
 * Writes a result with a checksum, so that a reader sees the old file or the new one, never half of one.
 * @throws BulwarkError FILE_WRITE
 */
export async function saveEvaluation(file: string, result: EvaluationResult): Promise<void> {
  writeAtomically(file, `${JSON.stringify({ ...result, sha256: digestOf(result) })}\n`);
}

/**
 * Keeps other evaluations from writing the same file, which would each forget what the other found.
 * @throws BulwarkError RUN_LOCKED, FILE_WRITE
 */
export function lockEvaluation(file: string): FileLock {
  let lock: ReturnType<typeof tryLockFile>;
  try {
    mkdirSync(dirname(file), { recursive: true });
    lock = tryLockFile(`${file}.lock`);
  } catch (error) {
    throw writeFailure(file, error);
  }
  if ('release' in lock) return lock;
  const { heldBy } = lock;
  const where = heldBy && heldBy.host !== hostname() ? ` on ${heldBy.host}` : '';
  const who = heldBy ? `process ${heldBy.pid}${where}` : 'another process';
  throw new BulwarkError('RUN_LOCKED', `${who} is writing ${file}`, {
    hint: `wait until it ends, or write to another file with --out${where && `; if it is certainly gone, delete ${file}.lock`}`,
  });
}

/** The result in a file, or undefined where there is none. @throws BulwarkError DATA_CORRUPT */
export async function loadEvaluation(file: string): Promise<EvaluationResult | undefined> {
  const refused = (why: string, cause?: unknown) =>
    new BulwarkError('DATA_CORRUPT', `${file} ${why}`, { hint: 'evaluate again with another output file', cause });
  let text: string | undefined;
  try {
    text = readIfThere(file)?.toString('utf8');
  } catch (cause) {
    throw refused(`cannot be read: ${(cause as Error).message}`, cause);
  }
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refused('is not JSON', cause);
  }
  if (typeof json !== 'object' || json === null) throw refused('holds no object');
  const { sha256, ...result } = json as { sha256?: unknown };
  if (sha256 === undefined) throw refused('has no checksum: it is of an older version, or was changed');
  if (sha256 !== digestOf(result)) throw refused('was changed since it was written: its checksum differs');
  return parseEvaluation(result, file);
}
