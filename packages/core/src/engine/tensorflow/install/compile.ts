import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { BulwarkError } from '../../../errors.js';
import { nodeApiHeadersVersion, nodeApiLevel } from '../versions.js';
import { fetchPackage } from './fetch-package.js';
import type { NativeLibraries } from './libraries.js';
import { run } from './run.js';

/** Node's C headers beside this Node, where its distribution has them; undefined otherwise. */
function nodeHeadersHere(): string | undefined {
  const prefixes = [join(dirname(process.execPath), '..'), '/usr', '/usr/local'];
  return prefixes.map((prefix) => join(prefix, 'include', 'node')).find((folder) => existsSync(join(folder, 'node_api.h')));
}

/** A folder with `node_api.h`: this Node's own, else that of the Node project's header package, below `workplace`. */
async function nodeHeaders(workplace: string): Promise<string> {
  const here = nodeHeadersHere();
  if (here) return here;
  const folder = join(workplace, 'node-api-headers');
  await fetchPackage(`node-api-headers@${nodeApiHeadersVersion}`, folder);
  return join(folder, 'include');
}

/** Where the addon looks for the libraries: a path relative to itself when both move together. */
function searchPath(addon: string, libraries: string, build: string): string {
  if (!libraries.startsWith(build)) return libraries;
  // not path.join, which would resolve the dots against the placeholder
  return `${process.platform === 'darwin' ? '@loader_path' : '$ORIGIN'}/${relative(dirname(addon), libraries)}`;
}

/**
 * Compiles tfjs-node's binding against a native TensorFlow: two C++ files and one linker line, so the compiler is
 * called directly, and neither node-gyp nor its download of Node's headers is needed.
 */
export async function compileBinding(
  compiler: string,
  { build, packageFolder, libraries }: { build: string; packageFolder: string; libraries: NativeLibraries },
): Promise<void> {
  const addon = join(packageFolder, 'lib', `napi-v${nodeApiLevel}`, 'tfjs_binding.node');
  await mkdir(dirname(addon), { recursive: true });
  const onMac = process.platform === 'darwin';
  const includes = [await nodeHeaders(build), libraries.include].map((folder) => `-I${folder}`);
  const result = await run(
    compiler,
    [
      ...['-std=c++17', '-O2', '-fPIC', ...(onMac ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'])],
      ...[`-DNAPI_VERSION=${nodeApiLevel}`, ...includes],
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(packageFolder, 'binding', file)),
      ...['-o', addon, ...libraries.files],
      `-Wl,-rpath,${searchPath(addon, libraries.folder, build)}`,
    ],
    { timeoutMs: 10 * 60_000 },
  );
  if (result.code !== 0)
    throw new BulwarkError('ENGINE_INSTALL', `${compiler} could not build the binding against ${libraries.source}:\n${result.tail}`, {
      cure: 'a C++17 compiler is needed (g++ 9, clang 10 or newer); set CXX to choose one',
    });
}
