import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BulwarkError } from '@bulwark/core';
import type { GivenEngine } from '../engines/given.js';
import { endWhenSilent, silenceHint } from '../terminal/silence.js';

/** What a measuring process tells its parent. */
export type ChildMessage<Result> =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'failed'; readonly message: string; readonly hint?: string };

/** Jobs of `worker.ts` by name. */
export type ChildJob = 'diagnose' | 'bench';

/** Seconds for which a process may be silent. Some parts of the benchmark take long on engines that are no engines for training. */
const silence: Readonly<Record<ChildJob, number>> = { diagnose: 180, bench: 3600 };

const worker = fileURLToPath(new URL('./worker.js', import.meta.url));

/**
 * Runs a job in a process of its own, so that no engine sees another's memory, and one that crashes takes nothing with it.
 * @throws BulwarkError ENGINE_UNAVAILABLE, if the process fails, dies, or does not answer
 */
export function inChild<Result>(
  job: ChildJob,
  options: { engine: GivenEngine; plugins?: string; settings: object; progress?: (text: string) => void },
): Promise<Result> {
  const { engine, plugins, settings, progress } = options;
  return new Promise((done, failed) => {
    const child = fork(worker, [job, JSON.stringify({ engine, plugins, settings })], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced', // numbers that are not finite, and missing values, survive
    });
    const { ended } = endWhenSilent(child, silence[job]);
    const stop = (): void => void child.kill('SIGTERM');
    process.once('exit', stop);
    let outcome: ChildMessage<Result> | undefined;
    child.on('message', (message: ChildMessage<Result>) => {
      if (message.kind === 'progress') progress?.(message.text);
      else outcome = message;
    });
    child.on('exit', (code, signal) => {
      process.off('exit', stop);
      if (outcome?.kind === 'result') return done(outcome.result);
      if (ended()) {
        const message = `engine ${engine.label}: did not answer for ${silence[job]} s and was ended`;
        return failed(new BulwarkError('ENGINE_UNAVAILABLE', message, { hint: silenceHint }));
      }
      const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
      const why = outcome?.kind === 'failed' ? outcome.message : `the process that measures it ${how}`;
      const hint = (outcome?.kind === 'failed' && outcome.hint) || 'run `bulwark doctor` to see what works';
      failed(new BulwarkError('ENGINE_UNAVAILABLE', `engine ${engine.label}: ${why}`, { hint }));
    });
  });
}
