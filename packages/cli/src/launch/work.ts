import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { BulwarkError } from '@bulwark/core';
import { lockRunFolder, versions } from '@bulwark/core/run';
import { exitCodeOf } from '../terminal/fail.js';
import { stoppedCode } from '../terminal/interrupt.js';
import { jobFolder, type Step } from './job.js';

/** Gives one command of bulwark, its words behind the program's name. */
export type GiveCommand = (words: readonly string[]) => Promise<void>;

/** @throws BulwarkError LAUNCH_LOST: numbers of two versions shall not stand in one table */
function checkVersion(bulwark: string): void {
  const here = versions()['bulwark']!;
  if (here === bulwark) return;
  throw new BulwarkError(
    'LAUNCH_LOST',
    `${hostname()} has Bulwark ${here}, but the jobs were handed over by Bulwark ${bulwark}`,
    { hint: 'install the same version on all machines' },
  );
}

function wordsOf({ arguments: begin, resume }: Step): readonly string[] {
  return resume && existsSync(resume.when) ? resume.arguments : begin;
}

/**
 * Does what the folder of a job says, step by step in this process. What came of it stands in `outcome.json`; a process that was killed
 * leaves none. A second process at the same job is refused.
 * @throws what a step throws; BulwarkError INTERRUPTED if it was asked to stop between two steps
 */
export async function workOnJob(path: string, give: GiveCommand): Promise<void> {
  const folder = jobFolder(path);
  const order = folder.readOrder();
  const lock = lockRunFolder(path);
  const host = hostname();
  let stopped = false;
  const stop = () => void (stopped = true);
  process.on('SIGTERM', stop);
  process.env['BULWARK_JOB'] = path; // so that what an earlier attempt has locked on another machine is known to be its own
  process.chdir(order.folder);
  folder.outcome.clear();
  folder.began.write({ host });
  console.log(`--- ${order.id} on ${host}, ${new Date().toISOString()}`);
  try {
    checkVersion(order.bulwark);
    for (const step of order.steps) {
      if (step.done !== undefined && existsSync(step.done)) continue;
      if (stopped) throw new BulwarkError('INTERRUPTED', 'stopped between two steps');
      const words = wordsOf(step);
      console.log(`$ bulwark ${words.join(' ')}`);
      await give(words);
      process.on('SIGTERM', stop); // a command takes all listeners away when it hears the signal
    }
    folder.outcome.write({ code: 0, host });
  } catch (error) {
    const code = stopped ? stoppedCode : exitCodeOf(error);
    folder.outcome.write({ code, host, message: (error as Error).message });
    throw error;
  } finally {
    lock.release();
  }
}
