import { BulwarkError, integer, number, type LengthScale } from '@bulwark/core';
import { refuseBytes } from '@bulwark/core/threat';
import { type Command } from 'commander';
import { pluginsOption, type PluginFlags } from '../trust/policy.js';

/** Flags that every analysis has. */
export interface OutputFlags {
  readonly out?: string;
  readonly json?: boolean;
}

/** Flags of analyses that work with models. */
export interface ModelFlags extends OutputFlags, PluginFlags {
  readonly images: string;
  readonly batch: string;
  readonly checkpoint?: string;
  readonly engine?: string;
  readonly epsilon?: string;
  readonly seed: string;
}

/** A number or fraction above 0, as in configs. @throws BulwarkError USAGE */
export function positive(name: string, text: string): number {
  const value = number({ above: 0 }).safeParse(text.includes('/') ? text : Number(text));
  if (value.success) return value.data;
  throw new BulwarkError('USAGE', `--${name} is ${text}`, {
    hint: 'give a number above 0 or a fraction such as 8/255',
  });
}

/**
 * A length in pixel values, as in configs.
 * @throws BulwarkError USAGE; CONFIG_INVALID for one that counts in values of 0 to 255
 */
export function pixelFlag(name: string, text: string, scale: LengthScale): number {
  const value = positive(name, text);
  refuseBytes({ name: `--${name}`, value }, scale);
  return value;
}

/** A whole number. @throws BulwarkError USAGE */
export function whole(name: string, text: string, min = 1): number {
  const value = integer({ min }).safeParse(Number(text));
  if (text.trim() !== '' && value.success) return value.data;
  throw new BulwarkError('USAGE', `--${name} is ${text}`, { hint: `give a whole number of at least ${min}` });
}

export const addOutputFlags = (command: Command, name: string): Command =>
  command
    .option('--out <prefix>', `files to write: <prefix>.csv, .json, .svg and .png`, `figures/${name}`)
    .option('--json', 'print the data as JSON and nothing else');

export const addModelFlags = (command: Command, name: string, images: string): Command =>
  addOutputFlags(command, name)
    .option('--images <n>', 'number of test images, spread over the test set', images)
    .option('--batch <n>', 'images per batch', '100')
    .option('--checkpoint <kind>', 'best or last checkpoint (default: best if there is one)')
    .option('--engine <name>', 'engine instead of that of the runs')
    .option(...pluginsOption)
    .option('--seed <n>', 'seed of the noise', '0');
