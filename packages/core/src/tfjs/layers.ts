/** TensorFlow.js's Layers models, for those who bring one: of the same copy as `@bulwark/core/tfjs`. */
export * from '@tensorflow/tfjs-layers';
