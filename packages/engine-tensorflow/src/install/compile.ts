import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { nodeApiLevel, nodeHeaders, run, searchPathFlags, type RunResult } from '@bulwark/core/install';
import { bindingFolder, quietAddon } from '../package.js';
import type { NativeLibraries } from './libraries.js';

/**
 * TensorFlow writes notices while its library is being loaded, whatever TF_CPP_MIN_LOG_LEVEL says. This addon points
 * stderr elsewhere for that moment, which Node itself cannot do.
 */
const quietSource = `#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>
static int saved = -1;
static napi_value mute(napi_env, napi_callback_info) {
  int nowhere = saved < 0 ? open("/dev/null", O_WRONLY) : -1;
  if (nowhere >= 0) {
    saved = dup(2);
    dup2(nowhere, 2);
    close(nowhere);
  }
  return nullptr;
}
static napi_value unmute(napi_env, napi_callback_info) {
  if (saved >= 0) {
    dup2(saved, 2);
    close(saved);
    saved = -1;
  }
  return nullptr;
}
static void provide(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &value) == napi_ok) napi_set_named_property(env, exports, name, value);
}
extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  provide(env, exports, "mute", mute);
  provide(env, exports, "unmute", unmute);
  return exports;
}
`;

/** Builds the addon above. Without it TensorFlow is noisier, nothing else, so a failure is no failure. */
async function compileQuiet(compile: Compile, folder: string): Promise<void> {
  const source = join(folder, 'quiet.cc');
  await writeFile(source, quietSource);
  await compile({ sources: [source], output: join(folder, quietAddon), link: [] });
  await rm(source);
}

type Compile = (unit: { sources: string[]; output: string; link: readonly string[] }) => Promise<RunResult>;

/**
 * Compiles tfjs-node's binding against a native TensorFlow: two C++ files and one linker line, so the compiler is
 * called directly, and neither node-gyp nor its download of Node's headers is needed.
 */
export async function compileBinding(
  compiler: string,
  { build, packageFolder, libraries }: { build: string; packageFolder: string; libraries: NativeLibraries },
): Promise<void> {
  const folder = bindingFolder(packageFolder);
  await mkdir(folder, { recursive: true });
  const mode = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  const includes = [await nodeHeaders(build), libraries.include].map((include) => `-I${include}`);
  const flags = ['-std=c++17', '-O2', '-fPIC', ...mode, `-DNAPI_VERSION=${nodeApiLevel}`, ...includes];
  const rpath = searchPathFlags(libraries.folder, { from: folder, build });
  const compile: Compile = ({ sources, output, link }) =>
    run(compiler, [...flags, ...sources, '-o', output, ...link, ...rpath], { timeoutMs: 10 * 60_000 });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(packageFolder, 'binding', file));
  const result = await compile({ sources, output: join(folder, 'tfjs_binding.node'), link: libraries.files });
  if (result.code !== 0)
    throw new BulwarkError(
      'ENGINE_INSTALL',
      `${compiler} could not build the binding against ${libraries.source}:\n${result.tail}`,
      {
        hint: 'a C++17 compiler is needed (g++ 9, clang 10 or newer); set CXX to choose one',
      },
    );
  await compileQuiet(compile, folder);
}
