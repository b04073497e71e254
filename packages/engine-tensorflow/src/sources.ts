import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nativeSources } from '@bulwark/core/install';

// beside src in the repository, beside dist in the package
const own = fileURLToPath(new URL('../native/', import.meta.url));
const quiet = 'quiet.cc';

/** The source of the addon that mutes stderr. */
export const quietSource = join(own, quiet);

/** What the addon with ops of our own is made of. */
export const operatorSources = () => nativeSources(own, { without: [quiet] });
