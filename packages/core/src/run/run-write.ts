import { BulwarkError } from '../errors.js';
import { hintOf, writeAtomically } from '../files/index.js';

/** Says in our words why a file operation in a run folder failed. */
export function runWriteFailure(path: string, error: unknown): BulwarkError {
  if (error instanceof BulwarkError && error.code !== 'FILE_WRITE') return error;
  const cause = error instanceof BulwarkError ? error.cause : error;
  const { message } = cause as Error;
  return new BulwarkError('RUN_WRITE', `cannot write ${path}: ${message}`, {
    hint: `${hintOf(cause)}; the run can be resumed afterwards`,
    cause,
  });
}

/** Does something in a run folder. @throws BulwarkError RUN_WRITE */
export function inRun<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw runWriteFailure(path, error);
  }
}

/** Writes a file of a run: the old one or the whole new one, whatever happens. @throws BulwarkError RUN_WRITE */
export const writeInRun = (path: string, content: Uint8Array | string): void =>
  inRun(path, () => writeAtomically(path, content));
