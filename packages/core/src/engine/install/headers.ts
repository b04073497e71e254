import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fetchPackage, type PinnedPackage } from './fetch-package.js';

/** Level of Node's C interface that native parts are built for: stable across Node releases, so one build serves them all. */
export const nodeApiLevel = 8;

/** Node's C headers, for machines whose Node came without them. */
const nodeApiHeaders: PinnedPackage = {
  spec: 'node-api-headers@1.9.0',
  integrity: 'sha512-2oNILP4jXwRB4ywnYKjVk1YyJ96n2D4EOVJO6S3oYZ5PtbJrw3Yt9TpAuX3nBLMuzn74rnfGQrv13pS9vC+YiA==',
};

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
  await fetchPackage(nodeApiHeaders, folder);
  return join(folder, 'include');
}
