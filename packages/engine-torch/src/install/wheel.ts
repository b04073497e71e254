import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { requirePip, requirePython, requireSpace, run, type RunResult } from '@bulwark/core/install';
import { torchVersion } from '../versions.js';
import { torchIn, type Torch } from './torch.js';

const cpuIndex = 'https://download.pytorch.org/whl/cpu';
/** Most that an install holds on disk at once: the wheel, its contents, and what pip makes of them. */
const space = { cpu: 2.5e9, cuda: 14e9 };

/** Whether NVIDIA's driver sees a GPU. */
export const hasNvidiaGpu = async (): Promise<boolean> => (await run('nvidia-smi', ['-L'])).code === 0;

/** The ways in which pip may get at it, in order. The build for processors has a name of its own where one with CUDA exists. */
function requests(cuda: boolean): string[][] {
  const plain = `torch==${torchVersion}`;
  if (cuda || process.platform === 'darwin') return [[plain]];
  return [['--no-deps', `${plain}+cpu`], ['--no-deps', `${plain}+cpu`, '--index-url', cpuIndex], ['--no-deps', plain]]; // prettier-ignore
}

/**
 * Fetches PyTorch with pip into a folder: its libraries, its headers, and for CUDA NVIDIA's libraries. The user's own packages stay as they
 * are.
 * @throws BulwarkError ENGINE_INSTALL
 */
export async function torchFromPip(
  site: string,
  { cuda, progress }: { cuda: boolean; progress(line: string): void },
): Promise<Torch & { readonly source: string }> {
  const python = await requirePython();
  await requirePip(python);
  await requireSpace(join(site, '..'), cuda ? space.cuda : space.cpu);
  progress(`getting PyTorch ${torchVersion} with pip (${cuda ? 'with CUDA: several GB' : 'about 200 MB'})`);
  const install = ['-m', 'pip', 'install', '--only-binary=:all:', '--no-input', '--no-compile', '--target', site];
  const tried: RunResult[] = [];
  for (const request of requests(cuda)) {
    const result = await run(python, [...install, ...request], { timeoutMs: 45 * 60_000 });
    if (result.code === 0) break;
    tried.push(result);
    await rm(site, { recursive: true, force: true });
  }
  const torch = torchIn(join(site, 'torch'));
  if ('lack' in torch)
    throw new BulwarkError(
      'ENGINE_INSTALL',
      tried.length > 0 ? `pip could not install torch ${torchVersion}:\n${tried[0]!.tail}` : torch.lack,
      { hint: "check pip's index and proxy settings, or name a Python that has torch with --python" },
    );
  await keepOnly(site, ['torch', 'nvidia', 'triton']);
  await keepOnly(torch.folder, ['lib', 'include', 'version.py']);
  return { ...torch, source: `PyTorch ${torch.version} from pip` };
}

async function keepOnly(folder: string, kept: readonly string[]): Promise<void> {
  const others = (await readdir(folder)).filter((name) => !kept.includes(name));
  await Promise.all(others.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Drops what only the build needed. */
export const dropHeaders = ({ folder }: Torch): Promise<void> =>
  rm(join(folder, 'include'), { recursive: true, force: true });
