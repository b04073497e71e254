/**
 * TensorFlow.js's tensors, whole: the copy that Bulwark computes with. Plugins import them from here, so that they need no package
 * of their own and there is one copy. Published packages carry that copy (`scripts/carry-tfjs.mjs`).
 */
export * from '@tensorflow/tfjs-core';
