import { spawn } from 'node:child_process';

/** How a child process ended. */
export interface RunResult {
  /** Exit code; -1 when it could not be started, ran past its time or was killed by a signal. */
  readonly code: number;
  /** What it printed; of more than a million characters the last. */
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
const longest = 1e6;
/** How long what a program started may hold its output open after it has ended: a wrapper's child, a process left in the background. */
const patienceMs = 5000;

/** Runs a program without a shell and without a terminal, and never throws. */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env, timeoutMs = 60_000 }: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    let [stdout, all] = ['', ''];
    const end = (code: number, note = '') =>
      resolve({ code, stdout, tail: `${all}\n${note}`.trim().split('\n').slice(-tailLines).join('\n') });
    if (command === '') return end(-1, 'an empty name is no program');
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // npm is a batch file there, which only a shell can start
      shell: process.platform === 'win32' && command === 'npm',
    });
    let late = false;
    const letGo = () => [child.stdout, child.stderr].forEach((stream) => stream.destroy());
    const timers = [
      setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
        letGo();
      }, timeoutMs),
    ];
    const done = (code: number, note = '') => {
      timers.forEach(clearTimeout);
      end(code, note);
    };
    const more = (text: string, chunk: string) => `${text}${chunk}`.slice(-longest);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout = more(stdout, chunk);
      all = more(all, chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (all = more(all, chunk)));
    child.on('error', (error) => done(-1, error.message));
    child.on('exit', () => timers.push(setTimeout(letGo, patienceMs)));
    child.on('close', (code, signal) => {
      if (late) return done(-1, `${command} was ended after ${timeoutMs / 1000} s`);
      done(code ?? -1, signal ? `${command} was ended by ${signal}` : '');
    });
  });
}
