import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelSources } from '@bulwark/core/install';

// beside src in the repository, beside dist in the package
const own = fileURLToPath(new URL('../native/', import.meta.url));

/** The source of the addon that mutes stderr. */
export const quietSource = join(own, 'quiet.cc');

/** All that the addon with ops of our own is made of. */
const files = (): string[] =>
  [kernelSources, own].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.(cc|h)$/.test(name))
      .sort()
      .map((name) => join(folder, name))
      .filter((path) => path !== quietSource),
  );

/** Its C++ files; they include headers of `kernelSources`. */
export const operatorSources = (): string[] => files().filter((path) => path.endsWith('.cc'));

/** Tells builds of other sources apart. */
export function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const path of files()) hash.update(basename(path)).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}
