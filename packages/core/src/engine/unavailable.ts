import { BulwarkError } from '../errors.js';
import type { Refusal } from './engine.js';

const opening = (name: string): string => `engine ${name} does not work on this machine: `;

/** Reasons in one line; that of the engine itself needs no name before it. */
const inOneLine = (name: string, refusals: readonly Refusal[]): string =>
  refusals.map(({ candidate, reason }) => (candidate === name ? reason : `${candidate}: ${reason}`)).join('; ');

/** The error of an engine that cannot be started, with the reason for each thing that it could have been started from. */
export const unavailable = (name: string, refusals: readonly Refusal[], hint = 'use engine: auto'): BulwarkError =>
  new BulwarkError('ENGINE_UNAVAILABLE', `${opening(name)}${inOneLine(name, refusals)}`, { hint });

/** Why an engine did not start, from whatever it threw. */
export function refusalOf(name: string, error: unknown): Refusal {
  const { message = String(error) } = error as Partial<Error>;
  const known = opening(name);
  return { candidate: name, reason: message.startsWith(known) ? message.slice(known.length) : message };
}
