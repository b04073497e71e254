import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fetchPackage } from './fetch-package.js';

/** Level of Node's C interface that native parts are built for: stable across Node releases, so one build serves them all. */
export const nodeApiLevel = 8;

/** Node's C headers, for machines whose Node came without them. */
const nodeApiHeadersVersion = '1.9.0';

/** Node's C headers beside this Node, where its distribution has them; undefined otherwise. */
function headersHere(): string | undefined {
  const prefixes = [join(dirname(process.execPath), '..'), '/usr', '/usr/local'];
  return prefixes
    .map((prefix) => join(prefix, 'include', 'node'))
    .find((folder) => existsSync(join(folder, 'node_api.h')));
}

/** A folder with `node_api.h`: this Node's own, else that of the Node project's header package, below `workplace`. */
export async function nodeHeaders(workplace: string): Promise<string> {
  const here = headersHere();
  if (here) return here;
  const folder = join(workplace, 'node-api-headers');
  await fetchPackage(`node-api-headers@${nodeApiHeadersVersion}`, folder);
  return join(folder, 'include');
}
