/** TensorFlow.js's backend in plain JavaScript, for pages: of the same copy as `@bulwark/core/tfjs`. */
export * from '@tensorflow/tfjs-backend-cpu';
