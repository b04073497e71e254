import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BulwarkError } from '@bulwark/core';
import { endWhenSilent, silenceHint } from '../terminal/silence.js';
import type { DemoMethod } from './configs.js';
import type { DemoMessage, DemoResult } from './run-method.js';

const worker = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Seconds without a step after which a run is ended; the longest pause is an evaluation. */
const silence = 600;

/** Threads of each of so many processes that train at the same time. */
export const threadsOf = (processes: number, cores = availableParallelism()): number =>
  Math.min(16, Math.max(1, Math.floor(cores / processes)));

/** Processes that train one method each and share the cores: whoever is left when others end gets theirs. */
export function demoProcesses({ seed, folder }: { seed: string; folder: string }) {
  const training = new Set<ChildProcess>();
  const divide = (): void => {
    if (process.env['BULWARK_THREADS']) return; // as the user wants it
    for (const child of training) if (child.connected) child.send({ threads: threadsOf(training.size) });
  };
  const run = (method: DemoMethod, on: (message: DemoMessage) => void): Promise<DemoResult> =>
    new Promise((done, failed) => {
      const child = fork(worker, [method, seed, folder], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      const { ended } = endWhenSilent(child, silence);
      const stop = () => child.kill('SIGTERM');
      process.once('exit', stop);
      let outcome: DemoMessage | undefined;
      child.on('message', (message: DemoMessage) => {
        if (message.kind === 'result' || message.kind === 'failed') outcome = message;
        if (message.kind === 'step' && !training.has(child)) {
          training.add(child);
          divide();
        }
        on(message);
      });
      child.on('exit', (code) => {
        process.off('exit', stop);
        if (training.delete(child)) divide();
        if (outcome?.kind === 'result') return done(outcome.result);
        if (ended()) {
          const message = `the demo's ${method} run did not answer for ${silence} s and was ended`;
          return failed(new BulwarkError('ENGINE_UNAVAILABLE', message, { hint: silenceHint }));
        }
        const why = outcome?.kind === 'failed' ? outcome.message : `exit code ${code}`;
        failed(new BulwarkError('INTERRUPTED', `the demo's ${method} run ended early: ${why}`));
      });
    });
  return { run };
}
