import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { BulwarkError } from '@bulwark/core';
import logUpdate from 'log-update';
import type { Output } from './output.js';
import { ownRank } from './ranks.js';

/** SIGUSR2 is what mpirun passes on to all of its processes. */
const signals = () => ['SIGINT', 'SIGTERM', ...(ownRank() ? (['SIGUSR2'] as const) : [])] as const;

/**
 * Exit code of a process that SIGTERM stopped and that goes on when it is started again: EX_TEMPFAIL of sysexits.h. A cluster may be told
 * to requeue jobs that end with it (`RequeueExit=75` in slurm.conf).
 */
export const stoppedCode = 75;

let stoppedBy: NodeJS.Signals | undefined;

/**
 * The code to exit with after INTERRUPTED: 130 after Ctrl-C, as shells have it, and `stoppedCode` after SIGTERM. Of several ranks, rank 0
 * has it, though the signal may have come to another one only.
 */
export function interruptedCode(): number {
  const rank = ownRank()?.rank;
  if (rank !== undefined && rank > 0) return 0;
  const byHand = stoppedBy === 'SIGINT' || (stoppedBy === undefined && rank === undefined);
  return byHand ? 130 : stoppedCode;
}

const showCursor = '\u001b[?25h';

/**
 * A small process that ends this one at the second Ctrl-C. An engine that computes on the CPU blocks this thread for a whole step,
 * in which no signal is heard; the terminal sends Ctrl-C to both.
 */
const watcherCode = `
let pressed = 0;
process.on('SIGINT', () => {
  if (++pressed < 2) return;
  process.stderr.write(${JSON.stringify(showCursor)});
  process.kill(Number(process.argv[1]), 'SIGKILL');
});
process.stdin.on('end', () => process.exit()).resume();`;

function startWatcher(): { stop(): void } {
  const child = spawn(process.execPath, ['-e', watcherCode, String(process.pid)], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.on('error', () => undefined); // without it a second Ctrl-C waits for the step
  child.unref();
  (child.stdin as Socket).unref();
  return { stop: () => void child.kill() };
}

/**
 * Ctrl-C and SIGTERM ask for a stop after the running step. From then on nobody handles these signals, so that a second one ends the
 * process at once. The folder stays good: nothing in it is ever half-written.
 */
export function onInterrupt(output: Output): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const watcher = process.stdin.isTTY ? startWatcher() : undefined;
  const handler = (signal: NodeJS.Signals) => {
    stoppedBy = signal;
    signals().forEach((name) => process.removeAllListeners(name));
    // launchers say it more than once, and end whom they have lost patience with themselves
    if (ownRank()) signals().forEach((name) => process.on(name, () => undefined));
    if (process.stdout.isTTY && !ownRank()?.rank) {
      // what is shown live would stay above the next line
      logUpdate.clear();
      process.stdout.write(showCursor);
    }
    output.line('finishing the step and saving; press Ctrl-C again to stop at once');
    controller.abort();
  };
  signals().forEach((name) => process.on(name, handler));
  return {
    signal: controller.signal,
    release() {
      signals().forEach((name) => process.off(name, handler));
      watcher?.stop();
    },
  };
}

/** What a command that can be given again throws when it was asked to stop. */
export const stoppedOnRequest = (): BulwarkError =>
  new BulwarkError('INTERRUPTED', 'stopped on request; everything so far is saved', {
    hint: 'the same command goes on where this one stopped',
  });
