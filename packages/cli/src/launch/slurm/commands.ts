import { execFile } from 'node:child_process';
import { BulwarkError } from '@bulwark/core';

/** What a command of Slurm printed. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** After this many seconds a command counts as refused: sbatch itself waits for minutes for a full queue. */
const seconds = 30;

/** A job that hands jobs over is not their model: what Slurm has set for it would be taken for their settings. Where Slurm is, stays. */
const outside = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SLURM(?!_CONF$)|SBATCH|PMI|PMIX|OMPI)_/.test(name)),
  );

const unavailable = (message: string, hint: string) => new BulwarkError('LAUNCHER_UNAVAILABLE', message, { hint });

/**
 * Runs a command of Slurm.
 * @throws BulwarkError LAUNCHER_UNAVAILABLE if it is not there, or its controller does not answer
 */
export async function slurm(command: string, ...arguments_: readonly string[]): Promise<Said> {
  const said = await new Promise<Said>((resolve, reject) => {
    const options = { env: outside(), timeout: 1000 * seconds, maxBuffer: 2 ** 26 };
    execFile(command, [...arguments_], options, (failure, out, error) => {
      const { code } = (failure ?? { code: 0 }) as { code?: unknown };
      if (code === 'ENOENT')
        return reject(
          unavailable(
            `there is no ${command} on this machine: Slurm's commands are not installed here`,
            'give the command on a machine of the cluster, or choose --launcher local:jobs=2',
          ),
        );
      resolve({ code: typeof code === 'number' ? code : 1, out, error: error.trim() });
    });
  });
  if (/munge/i.test(said.error) && /(expired|rewound) credential/i.test(said.error))
    throw unavailable(
      `Slurm refuses this machine's credentials (${firstLine(said)}): its clock differs from the controller's`,
      'set the clocks of all machines (NTP)',
    );
  if (
    /unable to contact|establish.*configuration source|connection refused|zero bytes were transmitted|munge/i.test(
      said.error,
    )
  )
    throw unavailable(
      `Slurm does not answer: ${firstLine(said)}`,
      '`scontrol ping` says whether its controller runs; the same command goes on when it does',
    );
  return said;
}

/** The line that says most: the last one about an error, without the command's name. */
export function firstLine({ error, code }: Said): string {
  const lines = error.split('\n').filter((line) => line.trim() !== '');
  const last =
    lines.findLast((line) => /error|fatal|invalid|unable/i.test(line)) ?? lines.at(-1) ?? `exit code ${code}`;
  return last.replace(/^\w+: (error: |fatal: )?/, '').trim();
}

/** Whether sbatch refused a job for want of room, which will pass, and not for what it asks. */
export const isFull = ({ error }: Said): boolean =>
  /submit limit|(QOS|Assoc)(Max|Grp)|temporarily un|sleeping and retrying/i.test(error);
