import { createRequire } from 'node:module';
import { version_core } from '../tensor/index.js';

const require = createRequire(import.meta.url);

/** What a run ran with, for its frozen config. */
export const versions = (): Record<string, string> => ({
  bulwark: (require('../../package.json') as { version: string }).version,
  tfjs: version_core,
  node: process.version,
});
