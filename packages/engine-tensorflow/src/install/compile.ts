import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { kernelSources, nodeApiLevel, nodeHeaders, run, searchPathFlags, type RunResult } from '@bulwark/core/install';
import { bindingFolder, operatorsAddon, quietAddon } from '../package.js';
import { operatorSources, quietSource } from '../sources.js';
import type { NativeLibraries } from './libraries.js';

type Compile = (unit: {
  sources: readonly string[];
  flags: readonly string[];
  /** Its name in the binding's folder. */
  output: string;
  link: readonly string[];
}) => Promise<RunResult>;

interface Target {
  readonly build: string;
  readonly packageFolder: string;
  readonly libraries: Pick<NativeLibraries, 'folder' | 'files'>;
}

/** Calls the compiler for addons beside the binding. Node's headers are fetched where this Node came without them. */
async function compilerOf(compiler: string, { build, packageFolder, libraries }: Target): Promise<Compile> {
  const folder = bindingFolder(packageFolder);
  await mkdir(folder, { recursive: true });
  const mode = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  const flags = ['-std=c++17', '-fPIC', ...mode, `-DNAPI_VERSION=${nodeApiLevel}`, `-I${await nodeHeaders(build)}`];
  const rpath = searchPathFlags(libraries.folder, { from: folder, build });
  return ({ sources, flags: more, output, link }) =>
    run(compiler, [...flags, ...more, ...sources, '-o', join(folder, output), ...link, ...rpath], {
      timeoutMs: 10 * 60_000,
    });
}

/**
 * Builds our addons: the one that mutes stderr and the one with ops of our own. Without them TensorFlow is noisier, and slower, nothing
 * else, so a failure is no failure.
 * @returns why there are no ops of our own, if so
 */
export async function compileAddons(compiler: string, target: Target): Promise<string | undefined> {
  const compile = await compilerOf(compiler, target);
  await compile({ sources: [quietSource], flags: ['-O2'], output: quietAddon, link: [] });
  // a function that an older library lacks is then missed when the addon is loaded, not when it is called
  const atOnce = process.platform === 'darwin' ? [] : ['-Wl,-z,now'];
  const { code, tail } = await compile({
    sources: operatorSources().files,
    flags: ['-O3', '-pthread', `-I${kernelSources}`, ...atOnce],
    output: operatorsAddon(),
    link: target.libraries.files,
  });
  return code === 0 ? undefined : tail;
}

/**
 * Compiles tfjs-node's binding against a native TensorFlow: two C++ files and one linker line, so the compiler is
 * called directly, and neither node-gyp nor its download of Node's headers is needed.
 */
export async function compileBinding(
  compiler: string,
  target: Target & { readonly libraries: NativeLibraries },
): Promise<void> {
  const { packageFolder, libraries } = target;
  const compile = await compilerOf(compiler, target);
  const result = await compile({
    sources: ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(packageFolder, 'binding', file)),
    flags: ['-O2', `-I${libraries.include}`],
    output: 'tfjs_binding.node',
    link: libraries.files,
  });
  if (result.code !== 0)
    throw new BulwarkError(
      'ENGINE_INSTALL',
      `${compiler} could not build the binding against ${libraries.source}:\n${result.tail}`,
      {
        hint: 'a C++17 compiler is needed (g++ 9, clang 10 or newer); set CXX to choose one',
      },
    );
}
