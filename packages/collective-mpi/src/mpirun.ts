import { run } from '@bulwark/core/install';

/** The program that starts processes of MPI. */
export interface MpiRun {
  readonly program: string;
  /** `Open MPI 4.1.4` */
  readonly version: string;
  /** Its arguments before `-n`, for processes of one machine. */
  readonly flags: readonly string[];
}

/** Finds it: `MPIRUN` if set, else mpirun on PATH. */
export async function findMpiRun(): Promise<MpiRun | undefined> {
  const program = process.env['MPIRUN'] || 'mpirun';
  const { code, stdout } = await run(program, ['--version'], { timeoutMs: 20_000 });
  if (code !== 0) return undefined;
  const open = /\(Open MPI\) ([\w.]+)/.exec(stdout);
  if (!open) return { program, version: stdout.trim().split('\n')[0]!.trim(), flags: [] };
  return {
    program,
    version: `Open MPI ${open[1]}`,
    // engines have threads of their own, which must not all be bound to the core of their process
    flags: ['--oversubscribe', '--bind-to', 'none', ...(process.getuid?.() === 0 ? ['--allow-run-as-root'] : [])],
  };
}
