import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { engineFolder, listInstalled } from './cache.js';
import type { InstalledEngine } from './cache.js';
import { withLock } from './lock.js';

/** Removes every build of this engine from the cache, of all versions; returns those that could be used. */
export async function removeInstalled(): Promise<readonly InstalledEngine[]> {
  return withLock(join(engineFolder(), 'lock'), async () => {
    const removed = listInstalled();
    const entries = (await readdir(engineFolder())).filter((name) => name !== 'lock');
    await Promise.all(entries.map((name) => rm(join(engineFolder(), name), { recursive: true, force: true })));
    return removed;
  });
}
