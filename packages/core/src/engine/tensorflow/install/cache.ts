import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../cache-folder.js';
import { bindingPath } from '../package.js';
import type { NodePackage } from '../package.js';
import { nodeApiLevel, tfjsNodeVersion } from '../versions.js';

/** What the cache knows of one installed engine. */
export interface InstalledEngine {
  readonly name: NodePackage['name'];
  /** Version of the native library, as the library states it. */
  readonly tensorflow: string;
  readonly gpu: boolean;
  /** How it was obtained, in words. */
  readonly source: string;
  /** Folder of this build, below the cache folder. */
  readonly folder: string;
  /** Folder of the native libraries: below `folder`, or a Python installation's own. */
  readonly libraries: string;
  /** Disk space below `folder`. */
  readonly bytes: number;
  readonly installed: string;
}

/** Where builds of this engine lie, of all platforms and versions. */
export const engineFolder = (): string => join(cacheFolder(), 'engines', 'tensorflow');

/** One slot for each thing that a build depends on. A build uses the stable Node-API, so Node's own version is not among them. */
export const slotName = (gpu: boolean): string =>
  `${tfjsNodeVersion}-${process.platform}-${process.arch}-napi${nodeApiLevel}-${gpu ? 'gpu' : 'cpu'}`;

// A slot is one small file that names its build's folder: replacing a file is atomic on every platform, a folder is not.
const slotFile = (gpu: boolean): string => join(engineFolder(), `${slotName(gpu)}.json`);

export const packageFolder = (engine: InstalledEngine): string => join(engine.folder, 'package');

/** The engine in a slot, or why there is none to use. */
export function readSlot(gpu: boolean): InstalledEngine | { readonly reason: string } {
  let engine: InstalledEngine;
  try {
    engine = JSON.parse(readFileSync(slotFile(gpu), 'utf8')) as InstalledEngine;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { reason: `nothing installed for ${slotName(gpu)}` };
    return { reason: `${slotFile(gpu)} is damaged: run \`bulwark engine install tensorflow --force\`` };
  }
  if (!bindingPath(packageFolder(engine)))
    return { reason: `the build in ${engine.folder} is gone: run \`bulwark engine install tensorflow --force\`` };
  if (!existsSync(engine.libraries))
    return {
      reason: `it uses the TensorFlow of ${engine.libraries}, which is gone: run \`bulwark engine install tensorflow --force\``,
    };
  return engine;
}

/** Usable engines in the cache, the GPU one first; reasons where there is none at all. */
export function installedPackages(): { readonly found: readonly NodePackage[]; readonly reasons: readonly string[] } {
  const slots = [true, false].map(readSlot);
  const found = slots.flatMap((slot) => ('reason' in slot ? [] : [{ name: slot.name, folder: packageFolder(slot) }]));
  return { found, reasons: found.length > 0 ? [] : slots.flatMap((slot) => ('reason' in slot ? [slot.reason] : [])) };
}

/** Every engine in the cache that can be used on this machine. */
export function listInstalled(): readonly InstalledEngine[] {
  return [true, false].map(readSlot).flatMap((slot) => ('reason' in slot ? [] : [slot]));
}

/** Puts a finished build into its slot in one step, then frees the folder of the one that it replaces. */
export async function commitSlot(engine: InstalledEngine): Promise<void> {
  const before = readSlot(engine.gpu);
  const draft = `${slotFile(engine.gpu)}.new`;
  await writeFile(draft, `${JSON.stringify(engine, null, 2)}\n`);
  await rename(draft, slotFile(engine.gpu));
  if (!('reason' in before) && before.folder !== engine.folder)
    await rm(before.folder, { recursive: true, force: true });
}

/** Deletes builds that no slot names: what failed or interrupted installs left. Call it under the lock. */
export async function sweepLeftovers(): Promise<void> {
  await mkdir(engineFolder(), { recursive: true });
  const used = new Set<string>();
  const entries = readdirSync(engineFolder());
  for (const entry of entries.filter((name) => name.endsWith('.json'))) {
    try {
      used.add((JSON.parse(readFileSync(join(engineFolder(), entry), 'utf8')) as InstalledEngine).folder);
    } catch {
      // a damaged slot names nothing
    }
  }
  const builds = entries.filter((name) => name.startsWith('build-')).map((name) => join(engineFolder(), name));
  await Promise.all(
    builds.filter((folder) => !used.has(folder)).map((folder) => rm(folder, { recursive: true, force: true })),
  );
}
