import { BulwarkError, type ErrorCode } from '../errors.js';
import { exchangeTexts, type Collective } from './collective.js';

interface Failure {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

const failureOf = (error: unknown): Failure => {
  const { message = String(error) } = error as Error;
  return error instanceof BulwarkError ? { code: error.code, message, hint: error.hint } : { message };
};

/**
 * Does something on every rank that may fail on any: where it fails on one, all throw the error of the lowest such rank, so that none
 * waits for one that is gone. What it does must not wait for other ranks itself. Without a collective it is only done.
 */
export async function together<T>(collective: Collective | undefined, work: () => T | Promise<T>): Promise<T> {
  if (!collective) return work();
  let result: { value: T } | undefined;
  let own: unknown;
  try {
    result = { value: await work() };
  } catch (error) {
    own = error;
  }
  const outcomes = exchangeTexts(collective, result ? '' : JSON.stringify(failureOf(own)));
  const first = outcomes.findIndex((outcome) => outcome !== '');
  if (first < 0) return result!.value;
  if (first === collective.rank) throw own;
  const { code, message, hint } = JSON.parse(outcomes[first]!) as Failure;
  const text = `rank ${first}: ${message}`;
  throw code === undefined ? new Error(text) : new BulwarkError(code, text, { hint });
}
