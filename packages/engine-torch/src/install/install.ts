import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { requireCompiler } from '@bulwark/core/install';
import { addonFile, builds, slotName, type TorchBuild } from './cache.js';
import { compileAddon } from './compile.js';
import { findTorch } from './find-torch.js';
import { probeAddon } from './probe.js';
import { sourcesDigest } from './sources.js';
import { libraryFolder, type Torch } from './torch.js';
import { dropHeaders, hasNvidiaGpu, torchFromPip } from './wheel.js';
import { torchVersion } from '../versions.js';

/** What to build against. */
export interface InstallOptions {
  /** A Python interpreter that has torch. Default: that of the active environment, else of PATH. */
  readonly python?: string;
  /** Fetch PyTorch into Bulwark's own cache. */
  readonly pip: boolean;
  /** With `pip`: the build with CUDA. Default: if NVIDIA's driver sees a GPU. */
  readonly cuda?: boolean;
  /** Install again although a working one is there. */
  readonly force: boolean;
}

const platforms = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'];

function requirePlatform(): void {
  const here = `${process.platform}-${process.arch}`;
  if (!platforms.includes(here))
    throw new BulwarkError('ENGINE_INSTALL', `the torch engine is built on ${platforms.join(', ')}, not on ${here}`, {
      hint: 'use WSL on Windows, or engine: wasm, which runs everywhere',
    });
}

type Found = Torch & { readonly source: string };

/**
 * Builds the addon against a PyTorch, into Bulwark's cache, unless a working build for that is there. It counts when it has computed known
 * values in a separate process; until then what was there before stays. The user's own Python stays as it is.
 * @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS
 */
export async function installTorch(
  { python, pip, cuda, force }: InstallOptions,
  progress: (line: string) => void,
): Promise<TorchBuild> {
  requirePlatform();
  if (pip && python !== undefined)
    throw new BulwarkError('ENGINE_INSTALL', '--python and --pip exclude each other', {
      hint: 'leave out --python to have torch fetched, or --pip to build against the one that is there',
    });
  const compiler = await requireCompiler();
  const present = pip ? undefined : await findTorch(python);
  if (present instanceof BulwarkError) throw present;
  const withCuda = pip && (cuda ?? (await hasNvidiaGpu()));

  const make = async (folder: string) => {
    const torch: Found = present ?? (await torchFromPip(join(folder, 'site'), { cuda: withCuda, progress }));
    progress(`compiling the addon against ${torch.source}`);
    const canDo = await compileAddon(compiler, torch, folder);
    if (!present) await dropHeaders(torch);
    progress('checking its numbers in a separate process');
    const probe = await probeAddon(addonFile({ folder }));
    progress(probe.gpu.startsWith('built without') ? 'computes on the processor' : `GPU: ${probe.gpu}`);
    const { version, source } = torch;
    return { torch: version, source, libraries: libraryFolder(torch), cuda: canDo, sources: sourcesDigest() };
  };
  const version = present?.version ?? `pip-${torchVersion}${withCuda ? '-cuda' : ''}`;
  return builds.fill(slotName(version), {
    async keep(build) {
      if (force) return false;
      const works = await probeAddon(addonFile(build)).then(
        () => true,
        () => false,
      );
      if (works) progress('already installed and working; --force installs it again');
      return works;
    },
    make,
  });
}
