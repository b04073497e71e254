import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const versionOf = (name: string): string => (require(`${name}/package.json`) as { version: string }).version;

/** What a run ran with, for its frozen config. */
export const versions = (): Record<string, string> => ({
  bulwark: (require('../../package.json') as { version: string }).version,
  tfjs: versionOf('@tensorflow/tfjs-core'),
  node: process.version,
});
