export { installTensorflow } from './install.js';
export type { InstallOptions } from './install.js';
export { listInstalled, removeInstalled } from './cache.js';
export type { InstalledEngine } from './cache.js';
