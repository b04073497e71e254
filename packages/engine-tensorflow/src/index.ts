export { tensorflow } from './engine.js';
export { loadTensorflow } from './load.js';
export type { TensorflowEngine, TensorflowLoad } from './load.js';
