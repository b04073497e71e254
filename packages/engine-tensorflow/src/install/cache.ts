import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildCache, nodeApiLevel, type Build } from '@bulwark/core/install';
import { bindingPath } from '../package.js';
import type { NodePackage } from '../package.js';
import { tfjsNodeVersion } from '../versions.js';

/** What the cache knows of one installed engine. */
export interface InstalledEngine extends Build {
  readonly name: NodePackage['name'];
  /** Version of the native library, as the library states it. */
  readonly tensorflow: string;
  readonly gpu: boolean;
  /** How it was obtained, in words. */
  readonly source: string;
  /** Folder of the native libraries: below `folder`, or a Python installation's own. */
  readonly libraries: string;
}

/** One slot for each thing that a build depends on. A build uses the stable Node-API, so Node's own version is not among them. */
export const slotName = (gpu: boolean): string =>
  `${tfjsNodeVersion}-${process.platform}-${process.arch}-napi${nodeApiLevel}-${gpu ? 'gpu' : 'cpu'}`;

export const packageFolder = ({ folder }: Pick<Build, 'folder'>): string => join(folder, 'package');

/** All builds of this engine. */
export const builds = buildCache<InstalledEngine>({
  engine: 'tensorflow',
  paths: ['libraries'],
  whyUseless(build) {
    if (!bindingPath(packageFolder(build))) return `the build in ${build.folder} has no binding`;
    if (!existsSync(build.libraries))
      return `it uses the TensorFlow of ${build.libraries}, which is gone (where it has moved, name it with --from)`;
    return undefined;
  },
});

const slots = () => [true, false].map((gpu) => builds.read(slotName(gpu)));

/** Usable engines in the cache, the GPU one first; reasons where there is none at all. */
export function installedPackages(): { readonly found: readonly NodePackage[]; readonly reasons: readonly string[] } {
  const all = slots();
  const found = all.flatMap((slot) => ('reason' in slot ? [] : [{ name: slot.name, folder: packageFolder(slot) }]));
  return { found, reasons: found.length > 0 ? [] : all.flatMap((slot) => ('reason' in slot ? [slot.reason] : [])) };
}

/** Every engine in the cache that can be used on this machine. */
export const listInstalled = (): readonly InstalledEngine[] =>
  slots().flatMap((slot) => ('reason' in slot ? [] : [slot]));

/** Removes every build of this engine from the cache, of all versions; returns those that could be used. */
export async function removeInstalled(): Promise<readonly InstalledEngine[]> {
  const removed = listInstalled();
  await builds.clear();
  return removed;
}
