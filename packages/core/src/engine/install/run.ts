import { spawn } from 'node:child_process';

/** How a child process ended. */
export interface RunResult {
  /** Exit code; -1 when it could not be started, ran past its time or was killed by a signal. */
  readonly code: number;
  readonly stdout: string;
  /** The last lines of stdout and stderr together, for an error message. */
  readonly tail: string;
}

/** Where and how long a program may run. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
}

const tailLines = 12;

/** Runs a program without a shell and without a terminal, and never throws. */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env, timeoutMs = 60_000 }: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    let stdout = '';
    let all = '';
    const end = (code: number, note = '') =>
      resolve({ code, stdout, tail: `${all}${note}`.trim().split('\n').slice(-tailLines).join('\n') });
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      // npm is a batch file there, which only a shell can start
      shell: process.platform === 'win32' && command === 'npm',
    });
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      all += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => (all += chunk.toString()));
    child.on('error', (error) => end(-1, `\n${error.message}`));
    child.on('close', (code, signal) => end(code ?? -1, signal ? `\n${command} was ended by ${signal}` : ''));
  });
}
