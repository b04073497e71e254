export { loadTensorflow } from './load.js';
export type { LoadOptions, Refusal, TensorflowEngine, TensorflowLoad } from './load.js';
export { installTensorflow, listInstalled, removeInstalled } from './install/index.js';
export type { InstallOptions, InstalledEngine } from './install/index.js';
