/** TensorFlow.js's backend in WebAssembly, for pages: of the same copy as `@bulwark/core/tfjs`. */
export * from '@tensorflow/tfjs-backend-wasm';
