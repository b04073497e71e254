import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import type { Output } from './output.js';

export interface ChildOptions {
  /** Stands in brackets before every line. */
  readonly label: string;
  readonly output: Output;
  /** Asks the child to stop, as SIGTERM does. */
  readonly signal: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
  /** How this command is started; default: as this process was. */
  readonly command?: readonly string[] | undefined;
}

/** Environment that shares the cores among so many processes; what the user has set stays. */
export function threadsFor(jobs: number): NodeJS.ProcessEnv {
  const share = String(Math.max(1, Math.floor(availableParallelism() / jobs)));
  return jobs > 1 ? { BULWARK_THREADS: process.env['BULWARK_THREADS'] ?? share } : {};
}

/** Runs a command of bulwark in a process of its own and passes its lines on. @returns its exit code */
export function runBulwark(arguments_: readonly string[], options: ChildOptions): Promise<number> {
  const { label, output, signal, env } = options;
  const [program, ...before] = options.command ?? [process.execPath, ...process.execArgv, process.argv[1]!];
  // in a process group of its own, so that Ctrl-C on a terminal reaches it once: through this process
  const child = spawn(program!, [...before, ...arguments_], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  createInterface({ input: child.stdout }).on('line', (line) => output.line(`[${label}] ${line}`));
  createInterface({ input: child.stderr }).on('line', (line) => output.warn(`[${label}] ${line}`));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      resolve(code ?? 1);
    });
  });
}
