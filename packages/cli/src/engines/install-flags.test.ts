import { describe, expect, it } from '@jest/globals';
import { BulwarkError, defineEngine } from '@bulwark/core';
import { Command } from 'commander';
import { z } from 'zod';
import { addInstallFlags, installOptions } from './install-flags.js';

const engine = defineEngine({
  name: 'mine',
  summary: 'A test.',
  probe: async () => ({ available: true }),
  start: () => Promise.reject(new Error('not here')),
  installer: {
    options: {
      gpu: z.boolean().default(false).describe('with a GPU'),
      from: z.string().optional().describe('where from'),
      buildJobs: z.number().int().min(1).default(2).describe('compilers at once'),
    },
    install: () => Promise.reject(new Error('not here')),
    installed: () => [],
    remove: async () => [],
  },
});

/** The options that a command line gives. */
function parsed(...words: string[]): Record<string, unknown> {
  const command = new Command('mine').exitOverride();
  addInstallFlags(command, engine);
  command.parse(words, { from: 'user' });
  return installOptions(engine, command.opts());
}

describe("the options of an engine's installer", () => {
  it('are flags, with the defaults of their schema', () => {
    expect(parsed()).toEqual({ gpu: false, buildJobs: 2 });
    expect(parsed('--gpu', '--from', '2.21', '--build-jobs', '4')).toEqual({ gpu: true, from: '2.21', buildJobs: 4 });
  });
  it('are refused by their flag', () => {
    const refused = (...words: string[]) => {
      try {
        return parsed(...words);
      } catch (error) {
        return error as BulwarkError;
      }
    };
    expect(refused('--build-jobs', '0')).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--build-jobs is "0"'),
    });
    expect(refused('--build-jobs', 'many')).toMatchObject({
      message: expect.stringContaining('--build-jobs is "many"'),
    });
  });
});
