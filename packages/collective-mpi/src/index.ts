/**
 * Training over several processes: the collective of core over MPI.
 * @module @bulwark/collective-mpi
 */
export { openMpi } from './collective.js';
export { placeAmongRanks, withoutPlace, type PlaceAmongRanks } from './environment.js';
export { mpiInstaller } from './install.js';
export { checkLaunch } from './launch.js';
export { findMpiRun, type MpiRun } from './mpirun.js';
