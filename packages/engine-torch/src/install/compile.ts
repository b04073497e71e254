import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { nodeApiLevel, nodeHeaders, run } from '@bulwark/core/install';
import { addonFile, withoutCuda } from './cache.js';
import { wholeSource } from './sources.js';
import { hasNewStrings, libraryFile, libraryFolder, openMpRuntime, type Torch } from './torch.js';

/** Where the addon looks for the libraries: a path relative to itself when both move together. */
function searchPath(libraries: string, build: string): string {
  if (!libraries.startsWith(build)) return libraries;
  // not path.join, which would resolve the dots against the placeholder
  return `${process.platform === 'darwin' ? '@loader_path' : '$ORIGIN'}/${relative(build, libraries)}`;
}

/** How the addon is compiled and linked. */
interface Plan {
  readonly compile: readonly string[];
  readonly link: readonly string[];
  /** What it will be able to do with CUDA, in words. */
  readonly cuda: string;
}

function planFor(torch: Torch, { build, headers }: { build: string; headers: string }): Plan {
  const mac = process.platform === 'darwin';
  const hasCuda = existsSync(libraryFile(torch, 'torch_cuda'));
  const openMp = openMpRuntime(torch);
  const theirs = ['include', join('include', 'torch', 'csrc', 'api', 'include')];
  return {
    compile: [
      ...['-std=c++20', '-O3', '-fPIC', '-fvisibility=hidden', `-DNAPI_VERSION=${nodeApiLevel}`],
      ...(mac ? [] : ['-fopenmp', `-D_GLIBCXX_USE_CXX11_ABI=${hasNewStrings(torch) ? 1 : 0}`]),
      ...['-I', headers],
      ...theirs.flatMap((folder) => ['-isystem', join(torch.folder, folder)]),
    ],
    link: [
      ...(mac ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-Wl,--no-as-needed']),
      ...['torch', 'torch_cpu', 'c10', ...(hasCuda ? ['torch_cuda', 'c10_cuda'] : [])].map((name) =>
        libraryFile(torch, name),
      ),
      // the library's own, else the compiler's
      ...(openMp ? [openMp] : mac ? [] : ['-fopenmp']),
      // libtorch_cuda finds NVIDIA's libraries by a path of its own when it is loaded
      ...(hasCuda ? ['-Wl,--allow-shlib-undefined'] : []),
      `-Wl,-rpath,${searchPath(libraryFolder(torch), build)}`,
    ],
    cuda: hasCuda ? `CUDA ${torch.cuda ?? ''}`.trim() : withoutCuda,
  };
}

/**
 * Compiles the addon against a PyTorch into a build's folder.
 * @returns what it can do with CUDA, in words
 * @throws BulwarkError ENGINE_INSTALL
 */
export async function compileAddon(compiler: string, torch: Torch, build: string): Promise<string> {
  const plan = planFor(torch, { build, headers: await nodeHeaders(build) });
  const source = join(build, 'addon.cc');
  const object = join(build, 'addon.o');
  await writeFile(source, wholeSource());
  const steps = [
    [...plan.compile, '-c', source, '-o', object],
    [object, ...plan.link, '-o', addonFile({ folder: build })],
  ];
  for (const step of steps) {
    const result = await run(compiler, step, { timeoutMs: 15 * 60_000 });
    if (result.code !== 0)
      throw new BulwarkError(
        'ENGINE_INSTALL',
        `${compiler} could not build the addon against PyTorch ${torch.version} in ${torch.folder}:\n${result.tail}`,
        { hint: 'a C++20 compiler is needed (g++ 11, clang 14 or newer); set CXX to choose one' },
      );
  }
  await Promise.all([source, object].map((file) => rm(file)));
  return plan.cuda;
}
