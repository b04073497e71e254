import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// beside src in the repository, beside dist in the package
const folder = fileURLToPath(new URL('../../native/', import.meta.url));
const files = (): string[] => readdirSync(folder).filter((name) => /\.(cc|h)$/.test(name)).sort(); // prettier-ignore

/** The addon's sources as one: compiled together, PyTorch's headers are read once. */
export const wholeSource = (): string =>
  files()
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `#include ${JSON.stringify(join(folder, name))}\n`)
    .join('');

/** Tells builds of other sources apart. */
export function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const name of files()) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 16);
}
