import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildCache, nodeApiLevel, type Build, type Useless } from '@bulwark/core/install';
import { sourcesDigest } from './sources.js';
import { versionIn } from './torch.js';

/** The addon, built against one PyTorch. */
export interface TorchBuild extends Build {
  /** The PyTorch that it was built against, `2.13.0+cpu`. */
  readonly torch: string;
  /** How that was obtained, in words. */
  readonly source: string;
  /** Folder of its libraries: below `folder`, or a Python installation's own. */
  readonly libraries: string;
  /** What the addon can do with CUDA, in words. */
  readonly cuda: string;
  /** Digest of the sources that it was compiled of. */
  readonly sources: string;
}

/** What builds of a PyTorch for processors say of CUDA. */
export const withoutCuda = 'no CUDA';

/** One slot for each PyTorch, platform and level of Node's C interface. Node's own version is not among them: that interface is stable. */
export const slotName = (version: string): string =>
  `${version}-${process.platform}-${process.arch}-napi${nodeApiLevel}`;
const isOurs = (slot: string): boolean => slot.endsWith(slotName(''));

export const addonFile = ({ folder }: Pick<Build, 'folder'>): string => join(folder, 'bulwark_torch.node');

/** All builds. */
export const builds = buildCache<TorchBuild>({
  engine: 'torch',
  paths: ['libraries'],
  whyUseless(build) {
    if (!existsSync(addonFile(build))) return `the build in ${build.folder} has no addon`;
    if (!existsSync(build.libraries))
      return `it uses the PyTorch of ${dirname(build.libraries)}, which is gone (where it has moved, name its Python with --python)`;
    const now = versionIn(dirname(build.libraries))?.version;
    // PyTorch promises no stable C++ interface, so an addon of another version may crash
    if (now !== build.torch) return `it was built against PyTorch ${build.torch}, and there is ${now ?? 'none'} now`;
    if (build.sources !== sourcesDigest()) return 'it was built by another version of Bulwark';
    return undefined;
  },
});

/** The builds that can be used on this machine, the newest first, and why the others cannot. */
export function usableBuilds(): { readonly found: readonly TorchBuild[]; readonly reasons: readonly string[] } {
  const all = builds.slots().filter(isOurs).map(builds.read); // prettier-ignore
  const found = all.filter((build): build is TorchBuild => !('reason' in build));
  const reasons = all.filter((build): build is Useless => 'reason' in build).map(({ reason }) => reason);
  return {
    found: found.sort((a, b) => b.installed.localeCompare(a.installed)),
    reasons: all.length > 0 ? reasons : ['nothing installed'],
  };
}
