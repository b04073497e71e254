import { spawnSync } from 'node:child_process';
import { BulwarkError } from '@bulwark/core';
import { usableBuild } from './builds.js';
import type { PlaceAmongRanks } from './environment.js';

/** Whether this Open MPI can be told by PMI-1 or PMI-2 who its ranks are; most are built for PMIx alone. */
function speaksPmi(): boolean {
  const { status, stdout } = spawnSync('ompi_info', ['--parsable', '--param', 'pmix', 'all'], { encoding: 'utf8' });
  return status !== 0 || /^mca:pmix:s[12]:/m.test(stdout);
}

/**
 * Refuses processes that were started in a way in which MPI cannot find the others: it would say so itself, at length, from each of them.
 * All ranks of a launch are refused alike.
 * @throws BulwarkError MPI_UNAVAILABLE
 */
export function checkLaunch({ launcher, size }: PlaceAmongRanks, env: NodeJS.ProcessEnv = process.env): void {
  const refuse = (what: string, hint: string) => {
    throw new BulwarkError('MPI_UNAVAILABLE', what, { hint });
  };
  if (launcher !== 'srun' || env['PMIX_RANK'] !== undefined) return;
  const build = usableBuild();
  const mpi = 'mpi' in build ? build.mpi : 'MPI';
  const pmi = env['PMI_FD'] !== undefined || env['PMI_RANK'] !== undefined;
  if (pmi && !(mpi.startsWith('Open MPI') && !speaksPmi())) return;
  const way = `--mpi=${env['SLURM_MPI_TYPE'] ?? 'none'}`;
  refuse(
    `srun has started ${size} processes with ${way}, by which ${mpi} cannot find the others`,
    `start them with srun --mpi=pmix (srun --mpi=list says what this Slurm can), or with mpirun -n ${size} within the job`,
  );
}
