import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCache, nodeApiLevel, type Build, type Useless } from '@bulwark/core/install';

/** The addon, built against one MPI. */
export interface MpiBuild extends Build {
  /** Name and version of the MPI, in its own words. */
  readonly mpi: string;
  /** Digest of the source that it was compiled of. */
  readonly source: string;
}

// beside src in the repository, beside dist in the package
export const sourceFile = fileURLToPath(new URL('../native/module.cc', import.meta.url));

/** Tells builds of other sources apart. */
export const sourceDigest = (): string =>
  createHash('sha256').update(readFileSync(sourceFile)).digest('hex').slice(0, 16);

export const addonFile = ({ folder }: Pick<Build, 'folder'>): string => join(folder, 'bulwark_mpi.node');

/** One slot for each MPI, platform and level of Node's C interface. Node's own version is not among them: that interface is stable. */
export const slotName = (mpi: string): string =>
  `${mpi.toLowerCase().replace(/[^a-z0-9.]+/g, '-')}-${process.platform}-${process.arch}-napi${nodeApiLevel}`;

/** All builds. */
export const builds = buildCache<MpiBuild>({
  engine: 'mpi',
  whyUseless(build) {
    if (!existsSync(addonFile(build))) return `the build in ${build.folder} has no addon`;
    if (build.source !== sourceDigest()) return 'it was built by another version of Bulwark';
    return undefined;
  },
});

/** The newest build that can be used on this machine, or why there is none. */
export function usableBuild(): MpiBuild | Useless {
  const all = builds.slots().filter((slot) => slot.endsWith(slotName(''))).map(builds.read); // prettier-ignore
  const usable = all.filter((build): build is MpiBuild => !('reason' in build));
  const [newest] = usable.sort((a, b) => b.installed.localeCompare(a.installed));
  return newest ?? all[0] ?? { reason: 'the addon is not installed' };
}
