import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { kernelSources, nodeApiLevel, nodeHeaders, run, searchPathFlags } from '@bulwark/core/install';
import { addonFile, withoutCuda } from './cache.js';
import { wholeSource } from './sources.js';
import { cudaHeaders, hasNewStrings, libraryFile, libraryFolder, openMpRuntime, type Torch } from './torch.js';

/** How the addon is compiled and linked. */
interface Plan {
  readonly compile: readonly string[];
  readonly link: readonly string[];
  /** What CUDA graphs need of them; tried first, since CUDA's headers may be of another release than this PyTorch was built with. */
  readonly graphs: readonly string[];
  /** What it will be able to do with CUDA, in words. */
  readonly cuda: string;
}

function planFor(torch: Torch, { build, headers }: { build: string; headers: string }): Plan {
  const mac = process.platform === 'darwin';
  const hasCuda = existsSync(libraryFile(torch, 'torch_cuda'));
  const openMp = openMpRuntime(torch);
  const cuda = hasCuda ? cudaHeaders(torch) : undefined;
  const theirs = ['include', join('include', 'torch', 'csrc', 'api', 'include')];
  return {
    compile: [
      ...['-std=c++20', '-O3', '-fPIC', '-fvisibility=hidden', `-DNAPI_VERSION=${nodeApiLevel}`],
      ...(mac ? [] : ['-fopenmp', `-D_GLIBCXX_USE_CXX11_ABI=${hasNewStrings(torch) ? 1 : 0}`]),
      ...['-I', headers, '-I', kernelSources],
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
      ...searchPathFlags(libraryFolder(torch), { from: build, build }),
    ],
    graphs: cuda === undefined ? [] : ['-DBULWARK_CUDA_GRAPHS', '-isystem', cuda],
    cuda: hasCuda ? `CUDA ${torch.cuda ?? ''}`.trim() : withoutCuda,
  };
}

const timeoutMs = 15 * 60_000;

const notBuilt = (compiler: string, torch: Torch, tail: string): BulwarkError =>
  new BulwarkError(
    'ENGINE_INSTALL',
    `${compiler} could not build the addon against PyTorch ${torch.version} in ${torch.folder}:\n${tail}`,
    { hint: 'a C++20 compiler is needed (g++ 11, clang 14 or newer); set CXX to choose one' },
  );

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
  const compile = (more: readonly string[]) =>
    run(compiler, [...plan.compile, ...more, '-c', source, '-o', object], { timeoutMs });
  let compiled = await compile(plan.graphs);
  const graphs = plan.graphs.length > 0 && compiled.code === 0;
  if (plan.graphs.length > 0 && !graphs) compiled = await compile([]);
  if (compiled.code !== 0) throw notBuilt(compiler, torch, compiled.tail);
  const linked = await run(compiler, [object, ...plan.link, '-o', addonFile({ folder: build })], { timeoutMs });
  if (linked.code !== 0) throw notBuilt(compiler, torch, linked.tail);
  await Promise.all([source, object].map((file) => rm(file)));
  return graphs ? `${plan.cuda}, with graphs` : plan.cuda;
}
