/**
 * The torch engine: PyTorch's kernels behind TensorFlow.js.
 * @module @bulwark/engine-torch
 */
export { torch } from './engine.js';
