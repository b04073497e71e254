import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the C++ kernels that native engines compile with their own sources (`#include <winograd.h>`), each a header and its source. */
export const kernelSources = fileURLToPath(new URL('../../../native/', import.meta.url));

/** What an addon is made of. */
export interface NativeSources {
  /** Paths of the C++ files to compile; they include headers of `kernelSources`. */
  readonly files: readonly string[];
  /** Tells builds of other sources apart: 16 hexadecimal digits. */
  readonly digest: string;
}

/**
 * The sources of an addon that has the shared kernels: those of `kernelSources` and those of a folder of its own.
 * @param own folder of `.cc` and `.h` files
 * @param options.without names of files there that belong to something else
 */
export function nativeSources(own: string, options: { readonly without?: readonly string[] } = {}): NativeSources {
  const { without = [] } = options;
  const paths = [kernelSources, own].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.(cc|h)$/.test(name) && !(folder === own && without.includes(name)))
      .sort()
      .map((name) => join(folder, name)),
  );
  const hash = createHash('sha256');
  for (const path of paths) hash.update(basename(path)).update(readFileSync(path));
  return { files: paths.filter((path) => path.endsWith('.cc')), digest: hash.digest('hex').slice(0, 16) };
}
