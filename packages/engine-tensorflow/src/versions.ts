/** Every pinned version of the native engine, in one place. */

/** tfjs-node, whose kernels and binding we use; the same release as our tfjs-core. */
export const tfjsNodeVersion = '4.22.0';

/** The TensorFlow whose C library the binding is built against when it comes from a Python wheel. */
export const tensorflowVersion = '2.21.0';

/** The oldest TensorFlow wheel that ships `libtensorflow_cc` with its headers. */
export const oldestTensorflow = '2.13';

/** The Python release whose wheel is taken when none fits the interpreter at hand; only its C library is used. */
export const fallbackPython = '3.12';
