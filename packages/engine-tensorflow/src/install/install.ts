import { join, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { fetchPackage, requireCompiler, requirePip, requirePython, requireSpace } from '@bulwark/core/install';
import { operatorsPath, type NodePackage } from '../package.js';
import { tfjsNodePackages, tfjsNodeVersion } from '../versions.js';
import { builds, packageFolder, slotName } from './cache.js';
import type { InstalledEngine } from './cache.js';
import { compileAddons, compileBinding } from './compile.js';
import { isCudaBuild, librariesAtPath, librariesOfPython, libraryFiles, requirePath } from './libraries.js';
import type { NativeLibraries } from './libraries.js';
import { officialDownloadAnswers, runOfficialInstall } from './official.js';
import { requirePlatform } from './platform.js';
import { probePackage } from './probe.js';
import { cpuLibrariesFromPip, gpuLibrariesFromPip, slim, unpackWheel } from './wheel.js';

/** What to install, and where to report. */
export interface InstallOptions {
  /** Use CUDA. Default false. */
  readonly gpu?: boolean;
  /** `cdn`: the official download; `pip`: build against a Python wheel; or the path of a TensorFlow. Default: cdn if it answers, else pip. */
  readonly from?: string;
  /** Install again although a working engine is there. Default false. */
  readonly force?: boolean;
  /** Told what is going on, one line at a time. */
  readonly progress?: (line: string) => void;
}

const megabyte = 1e6;
/** Most that an install holds on disk at once: wheel, unpacked libraries, and the copy that `strip` makes. */
const space = { cpu: 2000 * megabyte, gpu: 12_000 * megabyte };

interface Job {
  readonly gpu: boolean;
  readonly from: string | undefined;
  readonly build: string;
  readonly package: NodePackage;
  readonly progress: (line: string) => void;
}

/** Finds or fetches the native libraries to build against. */
async function obtainLibraries({ gpu, from, build, progress }: Job): Promise<NativeLibraries> {
  const site = join(build, 'site');
  if (from?.endsWith('.whl')) return unpackWheel(await requirePython(), resolve(from), site);
  if (from !== undefined && from !== 'pip') return librariesAtPath(resolve(from));
  const python = await requirePython();
  const present = await librariesOfPython(python);
  if (present && (!gpu || isCudaBuild(present))) return present;
  await requirePip(python);
  await requireSpace(build, gpu ? space.gpu : space.cpu);
  progress(`getting TensorFlow with pip (${gpu ? 'several GB' : 'about 270 MB'}) into Bulwark's cache`);
  return (gpu ? gpuLibrariesFromPip : cpuLibrariesFromPip)(python, site, progress);
}

/** Everything that can be known to be missing before anything is downloaded. */
async function requireTools(from: string | undefined): Promise<string> {
  requirePlatform();
  const compiler = await requireCompiler();
  if (from === undefined || from === 'pip' || from.endsWith('.whl')) await requirePython();
  if (from !== undefined && from !== 'pip') await requirePath(resolve(from));
  return compiler;
}

/** Builds our addons for a library; what it is to be made of stays whole without them. */
async function addAddons(
  { progress }: Job,
  compiler: string,
  target: Parameters<typeof compileAddons>[1],
): Promise<void> {
  progress("compiling Bulwark's own ops");
  const lack = await compileAddons(compiler, target);
  if (lack !== undefined) progress(`${compiler} could not: 3x3 convolutions will take longer\n${lack}`);
}

/** Builds tfjs-node's binding here. Returns where its libraries are. */
async function buildHere(job: Job): Promise<{ source: string; libraries: string }> {
  const compiler = await requireTools(job.from);
  const libraries = await obtainLibraries(job);
  job.progress(`compiling the binding against ${libraries.source}`);
  const target = { build: job.build, packageFolder: job.package.folder, libraries };
  await compileBinding(compiler, target);
  await addAddons(job, compiler, target);
  if (libraries.folder.startsWith(job.build)) {
    job.progress('dropping what only the build needed');
    await slim(libraries);
  }
  return { source: libraries.source, libraries: libraries.folder };
}

async function download(job: Job): Promise<{ source: string; libraries: string }> {
  job.progress('running the official installer of tfjs-node');
  await runOfficialInstall(job.package.folder, job.gpu);
  const folder = join(job.package.folder, 'deps', 'lib');
  const target = {
    build: job.build,
    packageFolder: job.package.folder,
    libraries: { folder, files: libraryFiles(folder) },
  };
  await requireCompiler().then(
    (compiler) => addAddons(job, compiler, target),
    () => job.progress('no C++ compiler here: 3x3 convolutions will take longer'),
  );
  return { source: `official download of ${job.package.name}`, libraries: folder };
}

async function obtain(job: Job): Promise<{ source: string; libraries: string }> {
  if (job.from !== undefined && job.from !== 'cdn') return buildHere(job);
  const answers = await officialDownloadAnswers(job.package.folder);
  if (job.from === 'cdn' && !answers)
    throw new BulwarkError('ENGINE_INSTALL', 'the official download of tfjs-node does not answer from here', {
      hint: 'use --from pip',
    });
  if (!answers) {
    job.progress('the official download does not answer: building here');
    return buildHere(job);
  }
  try {
    return await download(job);
  } catch (error) {
    if (job.from === 'cdn' || !(error instanceof BulwarkError)) throw error;
    job.progress(`${error.message.split('\n')[0]} Building here`);
    return buildHere(job);
  }
}

/** Builds in a folder of its own; it is put in place when it has computed known values in a separate process. */
async function make(folder: string, { gpu = false, from, progress = () => {} }: InstallOptions) {
  if (from !== undefined && from !== 'cdn') await requireTools(from);
  const name = gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
  const target: NodePackage = { name, folder: packageFolder({ folder }) };
  progress(`getting ${name} ${tfjsNodeVersion}`);
  await requireSpace(folder, 100 * megabyte);
  await fetchPackage(tfjsNodePackages[name], target.folder);
  const obtained = await obtain({ gpu, from, build: folder, package: target, progress });
  progress('checking its numbers in a separate process');
  const probe = await probePackage(target.folder);
  if (gpu && !probe.gpu) progress('TensorFlow sees no GPU on this machine: the engine will use the CPU');
  return { name, tensorflow: probe.version, ...obtained, gpu } as const;
}

/**
 * Installs the native engine into Bulwark's cache folder, unless a working one is there. A failed or interrupted
 * install leaves the one before untouched.
 * @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS
 */
export const installTensorflow = (options: InstallOptions = {}): Promise<InstalledEngine> =>
  builds.fill(slotName(options.gpu ?? false), {
    async keep(present) {
      if (options.force) return false;
      const works = await probePackage(packageFolder(present)).then(
        () => true,
        () => false,
      );
      const without = operatorsPath(packageFolder(present)) ? '' : ", without Bulwark's own ops of this version";
      if (works) options.progress?.(`already installed and working${without}; --force installs it again`);
      return works;
    },
    make: (folder) => make(folder, options),
  });
