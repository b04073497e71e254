import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The built command. Tests run it as a user does, so that they see what a user sees. */
export const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

export interface ProgramOptions {
  readonly cwd?: string;
  /** In place of this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** After so many, on a machine without other work, the program hangs. */
  readonly seconds?: number;
}

/** Whole seconds, longer where more wants to run than there are cores; `jest.config.js` says by how much. */
export const withPatience = (seconds: number): number => Math.ceil(seconds * Number(process.env['TEST_PATIENCE'] ?? 1));

/**
 * Runs Node with these arguments to its end.
 * @throws if it does not come to an end
 */
export function runNode(
  args: readonly string[],
  { cwd, env = { ...process.env, NO_COLOR: '1' }, seconds = 60 }: ProgramOptions = {},
): SpawnSyncReturns<string> {
  if (args.includes(main) && !existsSync(main))
    throw new Error('run `npm run build` first: this test runs the built command');
  const limit = withPatience(seconds);
  const timeout = limit * 1000;
  const result = spawnSync(process.execPath, [...args], { cwd, env, encoding: 'utf8', timeout, killSignal: 'SIGKILL' });
  if ((result.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT')
    throw new Error(
      `hangs: ${args.join(' ')} was ended after ${limit} s; it had printed\n${result.stdout}${result.stderr}`,
    );
  return result;
}

/** Runs the built command to its end. */
export const runCommand = (args: readonly string[], options?: ProgramOptions): SpawnSyncReturns<string> =>
  runNode([main, ...args], options);
