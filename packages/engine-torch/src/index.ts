/**
 * The torch engine: PyTorch's kernels behind TensorFlow.js.
 * @module @bulwark/engine-torch
 */
export { torch } from './engine.js';
export { meetingOf, openStoreRanks, type Meeting } from './rendezvous.js';
