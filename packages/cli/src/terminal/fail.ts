import { BulwarkError } from '@bulwark/core';
import { CommanderError } from 'commander';
import { styleText } from 'node:util';
import { interruptedCode } from './interrupt.js';

const colour = (style: 'red' | 'yellow', text: string) =>
  process.stderr.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text;

/** What a command that threw this ends with: 2 for wrong use, 70 for a fault of our own. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof BulwarkError)) return 70;
  return error.code === 'INTERRUPTED' ? interruptedCode() : error.exitCode;
}

/** Ends the process with one clear message; a stack trace only with --debug or for a fault of our own. */
export function fail(error: unknown): never {
  const code = exitCodeOf(error);
  if (error instanceof CommanderError) process.exit(code); // commander has printed it
  const debug = process.argv.includes('--debug');
  if (error instanceof BulwarkError) {
    // who pressed Ctrl-C got what they asked for: that is no error
    const asked = error.code === 'INTERRUPTED';
    process.stderr.write(
      asked ? `${colour('yellow', error.message)}\n` : `${colour('red', 'error')} ${error.message}\n`,
    );
    if (error.cure) process.stderr.write(`  ${error.cure}\n`);
    if (debug) process.stderr.write(`${error.code}\n${error.stack}\n`);
    process.exit(code);
  }
  const { message = String(error), stack } = error as Error;
  process.stderr.write(`${colour('red', 'unexpected error')} ${message}\n`);
  process.stderr.write(
    debug ? `${stack}\n` : '  this is a fault in Bulwark; run again with --debug and report what it prints\n',
  );
  process.exit(code);
}
