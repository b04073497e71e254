import { describe, expect, it } from '@jest/globals';
import { placeAmongRanks, withoutPlace } from './environment.js';
import { checkLaunch } from './launch.js';

describe('where a process stands among several', () => {
  it.each([
    ['mpirun (Open MPI)', { OMPI_COMM_WORLD_RANK: '2', OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_LOCAL_RANK: '0' }, 0],
    ['srun', { SLURM_PROCID: '2', SLURM_STEP_NUM_TASKS: '4', SLURM_LOCALID: '1' }, 1],
    ['mpiexec', { PMI_RANK: '2', PMI_SIZE: '4' }, undefined],
    ['torchrun', { RANK: '2', WORLD_SIZE: '4', LOCAL_RANK: '2' }, 2],
  ])('is what %s says', (launcher, env, localRank) => {
    const place = { rank: 2, size: 4, launcher, ...(localRank !== undefined && { localRank }) };
    expect(placeAmongRanks(env)).toEqual(place);
    expect(placeAmongRanks(withoutPlace({ ...env, PATH: '/bin' }))).toBeUndefined();
    expect(withoutPlace({ ...env, PATH: '/bin' })).toEqual({ PATH: '/bin' });
  });

  it.each([
    ['nothing', {}],
    ["a batch script's job of several tasks", { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_STEP_NUM_TASKS: '1' }],
    ['one process', { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' }],
    ['variables that mean something else', { RANK: 'general', WORLD_SIZE: 'large' }],
  ])('is alone with %s', (_what, env) => expect(placeAmongRanks(env)).toBeUndefined());

  it.each([['srun alone', 'srun', {}, /srun has started 2 processes with --mpi=none/]])(
    'cannot be that of %s',
    (_what, launcher, env, message) => {
      const refusal = expect.objectContaining({
        code: 'MPI_UNAVAILABLE',
        message: expect.stringMatching(message),
        hint: expect.stringMatching(/mpirun -n 2/),
      });
      expect(() => checkLaunch({ rank: 0, size: 2, launcher }, env)).toThrow(refusal as never);
    },
  );

  it.each([
    ['srun --mpi=pmix', 'srun', { PMIX_RANK: '0' }],
    ['mpirun', 'mpirun (Open MPI)', {}],
    ['torchrun, whose processes do without MPI', 'torchrun', {}],
  ])('can be that of %s', (_what, launcher, env) =>
    expect(() => checkLaunch({ rank: 0, size: 2, launcher }, env)).not.toThrow(),
  );
});
