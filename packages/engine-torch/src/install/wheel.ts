import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import {
  pipWheel,
  requirePip,
  requirePython,
  requireSpace,
  run,
  unknownWheel,
  type PinnedWheel,
  type RunResult,
} from '@bulwark/core/install';
import { torchVersion, torchWheels } from '../versions.js';
import { torchIn, type Torch } from './torch.js';

const cpuIndex = 'https://download.pytorch.org/whl/cpu';
/** Most that an install holds on disk at once: the wheel, its contents, and what pip makes of them. */
const space = { cpu: 2.5e9, cuda: 14e9 };

/** Whether NVIDIA's driver sees a GPU. */
export const hasNvidiaGpu = async (): Promise<boolean> => (await run('nvidia-smi', ['-L'])).code === 0;

/** The ways in which pip may get at it, in order. The build for processors has a name of its own where one with CUDA exists. */
function requests(cuda: boolean): { wheel: PinnedWheel; index?: string }[] {
  const plain = { requirement: `torch==${torchVersion}`, sha256: [] };
  if (cuda) return [{ wheel: plain }];
  if (process.platform === 'darwin') return [{ wheel: torchWheels.darwin }];
  return [{ wheel: torchWheels.linux }, { wheel: torchWheels.linux, index: cpuIndex }, { wheel: plain }];
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
  const tried: RunResult[] = [];
  for (const { wheel, index } of requests(cuda)) {
    if (wheel.sha256.length === 0) progress(unknownWheel(`${wheel.requirement}${cuda ? ' with CUDA' : ''}`));
    const command = [
      'install',
      '--no-compile',
      '--target',
      site,
      ...(index === undefined ? [] : ['--index-url', index]),
    ];
    const place = { command, folder: join(site, '..') };
    const result = cuda ? await withCuda(python, place.command) : await pipWheel(python, wheel, place);
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

/** With the libraries of NVIDIA that it asks for. */
const withCuda = (python: string, command: readonly string[]): Promise<RunResult> =>
  run(python, ['-m', 'pip', ...command, '--only-binary=:all:', '--no-input', `torch==${torchVersion}`], {
    timeoutMs: 45 * 60_000,
  });

async function keepOnly(folder: string, kept: readonly string[]): Promise<void> {
  const others = (await readdir(folder)).filter((name) => !kept.includes(name));
  await Promise.all(others.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Drops what only the build needed. */
export const dropHeaders = ({ folder }: Torch): Promise<void> =>
  rm(join(folder, 'include'), { recursive: true, force: true });
