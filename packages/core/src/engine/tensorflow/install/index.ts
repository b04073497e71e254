export { installTensorflow } from './install.js';
export type { InstallOptions } from './install.js';
export { cacheFolder, listInstalled, removeInstalled } from './cache.js';
export type { InstalledEngine } from './cache.js';
