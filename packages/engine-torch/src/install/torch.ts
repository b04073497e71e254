import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const extension = process.platform === 'darwin' ? 'dylib' : 'so';

/** A PyTorch on this machine: its `torch` folder. */
export interface Torch {
  readonly folder: string;
  /** `2.13.0+cpu`. */
  readonly version: string;
  /** The CUDA that it was built for, `13.0`. */
  readonly cuda?: string;
}

export const libraryFolder = ({ folder }: Pick<Torch, 'folder'>): string => join(folder, 'lib');
export const libraryFile = (torch: Pick<Torch, 'folder'>, name: string): string =>
  join(libraryFolder(torch), `lib${name}.${extension}`);

/** What `torch/version.py` states; undefined where there is none. */
export function versionIn(folder: string): Pick<Torch, 'version' | 'cuda'> | undefined {
  const file = join(folder, 'version.py');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  const version = /^__version__\s*=\s*['"]([^'"]+)['"]/m.exec(text)?.[1];
  const cuda = /^cuda\b[^=]*=\s*['"]([^'"]+)['"]/m.exec(text)?.[1];
  return version === undefined ? undefined : { version, ...(cuda !== undefined && { cuda }) };
}

/** What a folder lacks to be built against, or the PyTorch in it. */
export function torchIn(folder: string): Torch | { readonly lack: string } {
  const version = versionIn(folder);
  if (!version) return { lack: `${folder} has no version.py: this is no PyTorch` };
  for (const header of ['ATen/core/Tensor.h', 'ATen/ops/convolution.h', 'c10/core/InferenceMode.h'])
    if (!existsSync(join(folder, 'include', header)))
      return { lack: `PyTorch ${version.version} in ${folder} comes without its C++ headers (include/${header})` };
  for (const library of ['torch_cpu', 'c10'])
    if (!existsSync(libraryFile({ folder }, library)))
      return { lack: `PyTorch ${version.version} in ${folder} has no lib${library}.${extension}` };
  return { folder, ...version };
}

/**
 * CUDA's headers, as NVIDIA's installer or pip's packages (`nvidia-cuda-runtime` and `nvidia-cuda-crt`) beside this PyTorch leave them;
 * graphs need them.
 */
export function cudaHeaders({ folder }: Pick<Torch, 'folder'>): string | undefined {
  const site = dirname(folder);
  return [
    ...['CUDA_HOME', 'CUDA_PATH'].flatMap((name) => (process.env[name] ? [join(process.env[name], 'include')] : [])),
    ...['cu13', 'cuda_runtime'].map((name) => join(site, 'nvidia', name, 'include')),
    '/usr/local/cuda/include',
  ].find((each) => ['cuda_runtime_api.h', 'crt/host_config.h'].every((header) => existsSync(join(each, header))));
}

/** The OpenMP runtime that a wheel brings along: the addon's threads must be the library's own. */
export function openMpRuntime(torch: Torch): string | undefined {
  const name = readdirSync(libraryFolder(torch)).find((each) => /^lib(gomp|iomp5|omp)[-.\w]*\.(so|dylib)/.test(each));
  return name === undefined ? undefined : join(libraryFolder(torch), name);
}

/** Whether the library's C++ strings are those of today's compilers; they show in its symbols. */
export const hasNewStrings = (torch: Torch): boolean =>
  process.platform !== 'linux' || readFileSync(libraryFile(torch, 'c10')).includes('__cxx11');
