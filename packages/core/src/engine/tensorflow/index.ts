export { whyNoBfloat16 } from './bfloat16.js';
export { loadTensorflow } from './load.js';
export type { Refusal, TensorflowEngine, TensorflowLoad } from './load.js';
export { installTensorflow, listInstalled, removeInstalled } from './install/index.js';
export type { InstallOptions, InstalledEngine } from './install/index.js';
