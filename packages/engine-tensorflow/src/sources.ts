import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelSources } from '@bulwark/core/install';

// beside src in the repository, beside dist in the package
const folder = fileURLToPath(new URL('../native/', import.meta.url));
const own = (...names: readonly string[]): string[] => names.map((name) => join(folder, name));
const shared = (...names: readonly string[]): string[] => names.map((name) => join(kernelSources, name));

/** The source of the addon that mutes stderr. */
export const quietSource = (): string => join(folder, 'quiet.cc');

/** The C++ files of the addon with ops of our own; they include headers of `kernelSources`. */
export const operatorSources = (): string[] => [
  ...own('addon.cc', 'operators.cc', 'threads.cc'),
  ...shared('winograd.cc'),
];

const headers = (): string[] => [
  ...own('operators.h', 'tensorflow.h', 'threads.h'),
  ...shared('processor.h', 'winograd.h'),
];

/** Tells builds of other sources apart. */
export function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const file of [...operatorSources(), ...headers()]) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
