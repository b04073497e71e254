import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { pipWheel, run, sha256Of, unknownWheel } from '@bulwark/core/install';
import { tensorflowDigests, tensorflowVersion, wheelPython } from '../versions.js';
import { librariesIn, libraryFiles } from './libraries.js';
import type { NativeLibraries } from './libraries.js';

type Progress = (line: string) => void;

const downloadTimeout = 30 * 60_000;

// Of 1.2 GB in a wheel, the two libraries (0.85 GB) and the headers of the C interface are all that is needed.
const unpack = `
import sys, zipfile
wheel, target = sys.argv[1:]
keep = tuple('tensorflow/include/' + name for name in ('tensorflow/c/', 'tensorflow/core/platform/', 'tsl/', 'xla/tsl/'))
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(keep) or (name.startswith('tensorflow/libtensorflow') and name.count('/') == 1):
            archive.extract(name, target)`;

/** Unpacks a wheel's native libraries and C headers to `site`. */
export async function unpackWheel(python: string, wheel: string, site: string): Promise<NativeLibraries> {
  const { code, tail } = await run(python, ['-c', unpack, wheel, site], { timeoutMs: downloadTimeout });
  const libraries = code === 0 ? librariesIn(join(site, 'tensorflow'), `the wheel ${wheel}`) : undefined;
  if (libraries) return libraries;
  throw new BulwarkError(
    'ENGINE_INSTALL',
    `${wheel} cannot be used: ${tail || 'it has no libtensorflow_cc with headers'}`,
    {
      hint: 'give a TensorFlow wheel for this platform',
    },
  );
}

/** The CPU wheel is called tensorflow-cpu only where a CUDA one exists beside it. */
const cpuPackage = (): string =>
  process.platform === 'linux' && process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow';

/** Downloads the CPU wheel with pip into `folder`; the user's own Python packages stay as they are. */
async function downloadWheel(python: string, folder: string, progress: Progress): Promise<string> {
  const known = tensorflowDigests[`${process.platform}-${process.arch}`];
  const pinned = { requirement: `${cpuPackage()}==${tensorflowVersion}`, sha256: known === undefined ? [] : [known] };
  const command = ['download', '--python-version', wheelPython, '--dest', folder];
  const result = await pipWheel(python, pinned, { command, folder });
  const name = (await readdir(folder)).find((each) => each.endsWith('.whl'));
  if (result.code === 0 && name) {
    const wheel = join(folder, name);
    if (known === undefined) progress(unknownWheel(name, await sha256Of(wheel)));
    return wheel;
  }
  throw new BulwarkError('ENGINE_INSTALL', `pip could not download ${pinned.requirement}:\n${result.tail}`, {
    hint: "check pip's index and proxy settings, or give a wheel file or a Python installation with --from <path>",
  });
}

/** TensorFlow for CPUs from pip's index: its libraries and headers in `site`. */
export async function cpuLibrariesFromPip(python: string, site: string, progress: Progress): Promise<NativeLibraries> {
  const downloads = `${site}-download`;
  await mkdir(downloads, { recursive: true });
  const libraries = await unpackWheel(python, await downloadWheel(python, downloads, progress), site);
  await rm(downloads, { recursive: true, force: true });
  return { ...libraries, source: `${cpuPackage()} ${tensorflowVersion} from pip` };
}

/** TensorFlow with CUDA and cuDNN from pip's index, all in `site`, without the Python parts. */
export async function gpuLibrariesFromPip(python: string, site: string, progress: Progress): Promise<NativeLibraries> {
  const requirement = `tensorflow[and-cuda]==${tensorflowVersion}`;
  progress(unknownWheel(requirement));
  const install = [
    '-m',
    'pip',
    'install',
    '--only-binary=:all:',
    '--no-input',
    '--no-compile',
    '--target',
    site,
    requirement,
  ];
  const { code, tail } = await run(python, install, { timeoutMs: downloadTimeout });
  const libraries =
    code === 0
      ? librariesIn(join(site, 'tensorflow'), `tensorflow[and-cuda] ${tensorflowVersion} from pip`)
      : undefined;
  if (!libraries)
    throw new BulwarkError('ENGINE_INSTALL', `pip could not install ${requirement}:\n${tail}`, {
      hint: "check pip's index and proxy settings, try without --gpu, or give a Python installation with --from <path>",
    });
  const others = (await readdir(site)).filter((name) => name !== 'tensorflow' && name !== 'nvidia');
  await Promise.all(others.map((name) => rm(join(site, name), { recursive: true, force: true })));
  await keepOnly(join(site, 'tensorflow'), libraries);
  return libraries;
}

async function keepOnly(folder: string, { files }: NativeLibraries): Promise<void> {
  const kept = new Set([...files, join(folder, 'include')]);
  const entries = (await readdir(folder)).map((name) => join(folder, name));
  await Promise.all(
    entries.filter((entry) => !kept.has(entry)).map((entry) => rm(entry, { recursive: true, force: true })),
  );
}

/** Drops what only the build needed: the headers, and the symbol tables where `strip` is at hand (a fourth of the size). */
export async function slim(libraries: NativeLibraries): Promise<void> {
  await rm(libraries.include, { recursive: true, force: true });
  if (process.platform === 'linux')
    for (const file of libraryFiles(libraries.folder))
      await run('strip', ['--strip-unneeded', file], { timeoutMs: 120_000 });
}
