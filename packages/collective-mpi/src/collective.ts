import { hostname } from 'node:os';
import { BulwarkError, type Collective } from '@bulwark/core';
import { exchangeTexts } from '@bulwark/core/collective';
import { addonFile, usableBuild } from './builds.js';
import type { PlaceAmongRanks } from './environment.js';
import { loadAddon, type NativeMpi } from './native.js';

/** How long the ranks that are there call the others before they give up, in seconds. */
const rollCallSeconds = 3;

function load(): NativeMpi {
  const build = usableBuild();
  const hint = 'run `bulwark engine install mpi` on this machine';
  if ('reason' in build) throw new BulwarkError('MPI_UNAVAILABLE', `no MPI to speak over: ${build.reason}`, { hint });
  try {
    return loadAddon(addonFile(build));
  } catch (cause) {
    const { message } = cause as Error;
    throw new BulwarkError('MPI_UNAVAILABLE', `the addon for ${build.mpi} does not load: ${message}`, {
      hint: `load the MPI that it was built with, or ${hint} --force`,
      cause,
    });
  }
}

/**
 * Joins the processes that a launcher has started, in a way that `checkLaunch` lets pass.
 * @param options.seconds how long a rank may keep the others waiting
 * @throws BulwarkError MPI_UNAVAILABLE
 */
export function openMpi(place: PlaceAmongRanks, { seconds }: { seconds: number }): Collective {
  const native = load();
  const [rank, size] = native.start(Math.max(seconds, 30));
  if (size !== place.size)
    throw new BulwarkError(
      'MPI_UNAVAILABLE',
      `${place.launcher} has started ${place.size} processes, but MPI sees ${size}`,
      {
        hint: 'start them with the mpirun of the MPI that the addon was built with; with srun, add --mpi=pmix or --mpi=pmi2',
      },
    );
  let hosts: readonly string[] = [];
  /** Ends in words what is not done in time: after `seconds`, or sooner where this process was asked to end meanwhile. */
  const inTime = <T>(call: () => T | false): T => {
    const began = performance.now();
    const done = call();
    if (done !== false) return done;
    const waited = Math.round((performance.now() - began) / 1000);
    const missing = native.missing(rollCallSeconds).map((each) => `${each}${hosts[each] ? ` on ${hosts[each]}` : ''}`);
    const who = missing.length === 1 ? `rank ${missing[0]} has` : `ranks ${missing.join(', ')} have`;
    throw new BulwarkError(
      'RANK_LOST',
      missing.length > 0 ? `${who} not answered for ${waited} s` : `the ranks waited ${waited} s for each other`,
      { hint: 'see whether it still runs; --rank-timeout lets the others wait longer' },
    );
  };
  const collective: Collective = {
    rank,
    size,
    seconds,
    allReduce: (values) => void inTime(() => native.allReduce(values, seconds)),
    allGather: (values) => inTime(() => native.allGather(values, seconds)),
    broadcast: (bytes) => void inTime(() => native.broadcast(bytes, seconds)),
    barrier: () => void inTime(() => native.barrier(seconds)),
    abort: (code) => native.abort(code),
    close() {
      inTime(() => native.barrier(seconds));
      native.stop();
    },
  };
  hosts = exchangeTexts(collective, hostname());
  return collective;
}
