import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { askPython } from '@bulwark/core/install';
import { oldestTensorflow } from '../versions.js';

/** A native TensorFlow to link with. */
export interface NativeLibraries {
  /** Folder of the shared libraries. */
  readonly folder: string;
  /** Shared libraries to link, full paths. */
  readonly files: readonly string[];
  /** Folder of the C headers. */
  readonly include: string;
  /** How it was obtained, in words. */
  readonly source: string;
}

const namePattern = /^libtensorflow(_cc|_framework)?(\.so\.2|\.2\.dylib)$/;

/** Names of TensorFlow's shared libraries in a folder: a wheel's (`libtensorflow_cc`) or the C distribution's (`libtensorflow`). */
export function libraryFiles(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => namePattern.test(name))
        .map((name) => join(folder, name))
    : [];
}

/** The libraries in the `tensorflow` folder of a wheel, or in an unpacked C distribution; undefined when they are not there. */
export function librariesIn(folder: string, source: string): NativeLibraries | undefined {
  for (const libraries of [folder, join(folder, 'lib')]) {
    const files = libraryFiles(libraries);
    const include = join(folder, 'include');
    if (
      files.some((file) => /libtensorflow(_cc)?\./.test(file)) &&
      existsSync(join(include, 'tensorflow', 'c', 'c_api.h'))
    )
      return { folder: libraries, files, include, source };
  }
  return undefined;
}

const findTensorflow = `
import importlib.util
spec = importlib.util.find_spec('tensorflow')
answer = list(spec.submodule_search_locations)[0] if spec and spec.submodule_search_locations else None`;

/** The TensorFlow that a Python interpreter would import, without importing it. */
export async function librariesOfPython(python: string): Promise<NativeLibraries | undefined> {
  const said = await askPython<string | null>(python, findTensorflow);
  const folder = 'lack' in said ? null : said.answer;
  return folder === null ? undefined : librariesIn(folder, `the TensorFlow installed in ${folder}`);
}

/** True when the wheel states that it was built for CUDA. */
export function isCudaBuild(libraries: NativeLibraries): boolean {
  const info = join(libraries.folder, 'python', 'platform', 'build_info.py');
  return existsSync(info) && /['"]is_cuda_build['"]\s*:\s*True/.test(readFileSync(info, 'utf8'));
}

/** Refuses a path that holds no TensorFlow; a wheel file is looked into when it is unpacked. */
export async function requirePath(path: string): Promise<void> {
  if (!path.endsWith('.whl') || !existsSync(path)) await librariesAtPath(path);
}

/** The libraries at a path that the user gave: a `tensorflow` folder, a site-packages folder, a C distribution, or a Python interpreter. */
export async function librariesAtPath(path: string): Promise<NativeLibraries> {
  if (!existsSync(path))
    throw new BulwarkError('ENGINE_INSTALL', `--from ${path}: no such file or folder; allowed are cdn, pip or a path`, {
      hint: 'give an existing path',
    });
  const source = `the TensorFlow in ${path}`;
  const found =
    librariesIn(path, source) ?? librariesIn(join(path, 'tensorflow'), source) ?? (await librariesOfPython(path));
  if (found) return found;
  throw new BulwarkError(
    'ENGINE_INSTALL',
    `--from ${path}: no TensorFlow ${oldestTensorflow} or newer there (libtensorflow_cc and include/tensorflow/c/c_api.h)`,
    {
      hint: "give a wheel file, the `tensorflow` folder of a Python installation's site-packages, that Python itself, or an unpacked C distribution",
    },
  );
}
