import { BulwarkError, type InstalledPart } from '@bulwark/core';
import { nodeApiLevel, nodeHeaders, run } from '@bulwark/core/install';
import { fileURLToPath } from 'node:url';
import { addonFile, builds, slotName, sourceDigest, sourceFile, type MpiBuild } from './builds.js';
import { withoutPlace } from './environment.js';
import { findMpiRun, type MpiRun } from './mpirun.js';

const howToGetMpi =
  'install one (Debian, Ubuntu: `apt-get install openmpi-bin libopenmpi-dev`; clusters: `module load openmpi`)';

const refuse = (message: string, hint: string): BulwarkError => new BulwarkError('MPI_UNAVAILABLE', message, { hint });

/** The compiler that knows where its MPI is: `MPICXX`, else the first of the usual names that runs. */
async function requireMpiCompiler(): Promise<string> {
  const names = process.env['MPICXX'] ? [process.env['MPICXX']] : ['mpicxx', 'mpic++', 'mpiicpc'];
  for (const name of names) if ((await run(name, ['--version'])).code === 0) return name;
  throw refuse(`no compiler of an MPI: tried ${names.join(', ')}`, `${howToGetMpi}, or set MPICXX`);
}

async function requireMpiRun(): Promise<MpiRun> {
  const found = await findMpiRun();
  if (found) return found;
  throw refuse('no mpirun on this machine', `${howToGetMpi}, or set MPIRUN`);
}

async function compile(compiler: string, folder: string): Promise<void> {
  const mac = process.platform === 'darwin';
  const result = await run(
    compiler,
    [
      ...['-std=c++17', '-O3', '-fPIC', '-fvisibility=hidden', `-DNAPI_VERSION=${nodeApiLevel}`],
      ...(mac ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread']),
      ...['-I', await nodeHeaders(folder), sourceFile, '-o', addonFile({ folder }), '-ldl'],
    ],
    { timeoutMs: 5 * 60_000 },
  );
  if (result.code !== 0)
    throw refuse(`${compiler} could not build the addon:\n${result.tail}`, 'a C++17 compiler behind mpicxx is needed');
}

/** Two processes add up known numbers with an addon. @returns the name of the MPI that they found */
async function probe(file: string, { program, flags }: MpiRun): Promise<string> {
  // from TypeScript sources (tests) the built file is run: a child process has no transpiler
  const script = fileURLToPath(new URL('./probe-child.js', import.meta.url)).replace('/src/', '/dist/');
  const args = [...flags, '-n', '2', process.execPath, script, file];
  const { code, stdout, tail } = await run(program, args, { timeoutMs: 90_000, env: withoutPlace() });
  const said = stdout.split('\n').find((line) => line.startsWith('{'));
  if (code === 0 && said) return (JSON.parse(said) as { mpi: string }).mpi;
  throw refuse(
    `two processes could not add up numbers with ${program}:\n${tail}`,
    'see whether `mpirun -n 2 hostname` works here',
  );
}

/** What the addon is called in lists. */
const part = ({ mpi, folder, bytes }: MpiBuild): InstalledPart => ({
  description: `MPI addon for ${mpi}`,
  folder,
  bytes,
});

/** Builds the addon against the MPI of this machine, and what else `bulwark engine` does with it. */
export const mpiInstaller = {
  name: 'mpi',
  summary: 'Training over several processes: an addon for the MPI of this machine.',
  /**
   * Unless a working build is there. It counts when two processes have summed known values with it.
   * @throws BulwarkError MPI_UNAVAILABLE
   */
  async install({ force = false }: { force?: boolean }, progress: (line: string) => void): Promise<InstalledPart> {
    const compiler = await requireMpiCompiler();
    const mpirun = await requireMpiRun();
    const build = await builds.fill(slotName(mpirun.version), {
      async keep(present) {
        if (force) return false;
        const works = await probe(addonFile(present), mpirun).then(
          () => true,
          () => false,
        );
        if (works) progress('already installed and working; --force installs it again');
        return works;
      },
      async make(folder) {
        progress(`compiling the addon with ${compiler} for ${mpirun.version}`);
        await compile(compiler, folder);
        progress('adding up numbers in two processes');
        return { mpi: await probe(addonFile({ folder }), mpirun), source: sourceDigest() };
      },
    });
    return part(build);
  },
  /** Builds that can be used. */
  installed: (): InstalledPart[] =>
    builds
      .slots()
      .map(builds.read)
      .flatMap((build) => ('reason' in build ? [] : [part(build)])),
  /** Removes all builds. @returns what was removed */
  async remove(): Promise<InstalledPart[]> {
    const parts = mpiInstaller.installed();
    await builds.clear();
    return parts;
  },
};
