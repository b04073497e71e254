import { BulwarkError } from '../errors.js';
import type { Refusal } from './engine.js';

const opening = (name: string): string => `engine ${name} does not work on this machine: `;

/** Reasons in one line; that of the engine itself needs no name before it. */
const inOneLine = (name: string, refusals: readonly Refusal[]): string =>
  refusals.map(({ candidate, reason }) => (candidate === name ? reason : `${candidate}: ${reason}`)).join('; ');

/** The error of an engine that cannot be started, with the reason for each thing that it could have been started from. */
export const unavailable = (name: string, refusals: readonly Refusal[], hint = 'use engine: auto'): BulwarkError =>
  new BulwarkError('ENGINE_UNAVAILABLE', `${opening(name)}${inOneLine(name, refusals)}`, { hint });

/** What was thrown, in words, whatever it was. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : error;
  return typeof message === 'string' && message.trim() !== '' ? message : 'it failed without saying why';
}

/** Why an engine did not start, from whatever it threw. */
export function refusalOf(name: string, error: unknown): Refusal {
  const message = reasonOf(error);
  const known = opening(name);
  return { candidate: name, reason: message.startsWith(known) ? message.slice(known.length) : message };
}
