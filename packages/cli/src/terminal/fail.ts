import { BulwarkError } from '@bulwark/core';
import { hintOf } from '@bulwark/core/files';
import { CommanderError } from 'commander';
import { styleText } from 'node:util';
import { fewFiles } from './few-files.js';
import { interruptedCode } from './interrupt.js';
import { deferToLowerRanks, ownRank } from './ranks.js';

const colour = (style: 'red' | 'yellow', text: string) =>
  process.stderr.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text;

/** An operation on a file that the system refused: the disk's or the user's doing, wherever it happened. */
const ofTheSystem = (error: unknown): error is NodeJS.ErrnoException => {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return error instanceof Error && typeof code === 'string' && /^E[A-Z]+$/.test(code) && typeof syscall === 'string';
};

/** What a command that threw this ends with: 2 for wrong use, 70 for a fault of our own. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof BulwarkError) return error.code === 'INTERRUPTED' ? interruptedCode() : error.exitCode;
  return ofTheSystem(error) ? 1 : 70;
}

/** What a person reads of an error: one clear message, and what to do. A stack trace only with --debug. */
export function textOfFailure(error: unknown): string {
  const debug = process.argv.includes('--debug');
  const { message: text = String(error), stack } = error as Error;
  const { rank } = ownRank() ?? { rank: 0 };
  const message = rank > 0 && !text.startsWith(`rank ${rank} `) ? `rank ${rank}: ${text}` : text;
  if (error instanceof BulwarkError) {
    // who pressed Ctrl-C got what they asked for: that is no error
    const first = error.code === 'INTERRUPTED' ? colour('yellow', message) : `${colour('red', 'error')} ${message}`;
    return `${first}\n${error.hint ? `  ${error.hint}\n` : ''}${debug ? `${error.code}\n${stack}\n` : ''}`;
  }
  if (ofTheSystem(error)) {
    const told = /^E[MN]FILE$/.test(error.code!) ? fewFiles(error) : undefined;
    return `${told ?? `${colour('red', 'error')} ${message}\n  ${hintOf(error)}\n`}${debug ? `${stack}\n` : ''}`;
  }
  const advice = '  this is a fault in Bulwark; run again with --debug and report what it prints';
  return `${colour('red', 'unexpected error')} ${message}\n${debug ? stack : advice}\n`;
}

/** Ends this process and, where it is one of several, all. */
function leave(code: number, error: unknown): never {
  const { collective } = ownRank() ?? {};
  if (!collective) process.exit(code);
  // all were asked to stop: together, since the first that ends with a code other than 0 takes the others along
  if (error instanceof BulwarkError && error.code === 'INTERRUPTED') collective.close();
  else collective.abort(code);
  process.exit(code);
}

/** Ends the process with what a person reads of an error. Of several, rank 0 says it, or the lowest that knows of it. */
export function fail(error: unknown): never {
  const code = exitCodeOf(error);
  const { rank, alike = false, collective } = ownRank() ?? { rank: 0 };
  if (rank > 0 && error instanceof BulwarkError && error.code === 'INTERRUPTED') leave(code, error);
  deferToLowerRanks(); // the first that ends takes the others along, before they have spoken
  if (rank > 0) collective?.hear?.();
  if (rank > 0 && alike) leave(code, error);
  if (!(error instanceof CommanderError)) process.stderr.write(textOfFailure(error)); // commander has printed its own
  leave(code, error);
}
