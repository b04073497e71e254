import { fileURLToPath } from 'node:url';
import { nativeSources } from '@bulwark/core/install';

// beside src in the repository, beside dist in the package
const own = fileURLToPath(new URL('../../native/', import.meta.url));

/** The addon's sources as one: compiled together, PyTorch's headers are read once. */
export const wholeSource = (): string =>
  nativeSources(own)
    .files.map((path) => `#include ${JSON.stringify(path)}\n`)
    .join('');

/** Tells builds of other sources apart. */
export const sourcesDigest = (): string => nativeSources(own).digest;
