export { installTensorflow } from './install.js';
export type { InstallOptions } from './install.js';
export { listInstalled } from './cache.js';
export type { InstalledEngine } from './cache.js';
export { removeInstalled } from './remove.js';
