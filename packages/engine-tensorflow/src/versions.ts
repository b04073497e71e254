/** Every pinned version of the native engine, in one place. */

/** tfjs-node, whose kernels and binding we use; the same release as our tfjs-core. */
export const tfjsNodeVersion = '4.22.0';

/** The two packages of that release, with their digests. */
export const tfjsNodePackages = {
  '@tensorflow/tfjs-node': {
    spec: `@tensorflow/tfjs-node@${tfjsNodeVersion}`,
    integrity: 'sha512-uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==',
  },
  '@tensorflow/tfjs-node-gpu': {
    spec: `@tensorflow/tfjs-node-gpu@${tfjsNodeVersion}`,
    integrity: 'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
  },
} as const;

/** The TensorFlow whose C library the binding is built against when it comes from a Python wheel. */
export const tensorflowVersion = '2.21.0';

/** The oldest TensorFlow wheel that ships `libtensorflow_cc` with its headers. */
export const oldestTensorflow = '2.13';

/** The Python release whose wheel is taken; only its C library is used, which is the same for all. */
export const wheelPython = '3.11';

/** SHA-256 of that release's wheel for processors where it was tried, by platform. */
export const tensorflowDigests: Readonly<Record<string, string>> = {
  'linux-x64': '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
};
