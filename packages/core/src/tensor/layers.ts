/** Layers models of TensorFlow.js, found as its tensors are. */
export * from '#tensorflow-layers';
