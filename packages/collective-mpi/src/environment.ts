/** What the launcher of a process says about it. */
export interface PlaceAmongRanks {
  readonly rank: number;
  readonly size: number;
  /** Among the processes of the same machine, if the launcher says so. */
  readonly localRank?: number;
  /** Who started it, for messages. */
  readonly launcher: string;
}

/** Names of variables for rank, size and rank on the machine. */
const launchers: Readonly<Record<string, readonly [rank: string, size: string, local: string]>> = {
  'mpirun (Open MPI)': ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'],
  // a batch script has no SLURM_STEP_NUM_TASKS of more than 1, whatever its job's number of tasks
  srun: ['SLURM_PROCID', 'SLURM_STEP_NUM_TASKS', 'SLURM_LOCALID'],
  mpiexec: ['PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID'],
  torchrun: ['RANK', 'WORLD_SIZE', 'LOCAL_RANK'],
};

/** Where this process stands among several, by the variables of mpirun, srun, mpiexec or torchrun; undefined if it is alone. */
export function placeAmongRanks(env: NodeJS.ProcessEnv = process.env): PlaceAmongRanks | undefined {
  for (const [launcher, [rank, size, local]] of Object.entries(launchers)) {
    const [r, n, l] = [env[rank], env[size], env[local]].map((text) => (text === undefined ? undefined : Number(text)));
    if (r === undefined || n === undefined || !(n > 1) || !Number.isInteger(r)) continue;
    return { rank: r, size: n, launcher, ...(l !== undefined && Number.isInteger(l) && { localRank: l }) };
  }
  return undefined;
}

/** The environment without these variables, for a process that is to be alone. */
export function withoutPlace(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  if (!placeAmongRanks(env)) return env;
  const ours = /^(OMPI_|PMIX_|PMI_|HYDRA_|MPI_LOCAL|ORTE_|PRTE_)/;
  const named = new Set(Object.values(launchers).flat());
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name) && !named.has(name)));
}
