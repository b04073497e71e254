/** TensorFlow.js's engine in plain JavaScript, which registers itself when it is imported. */
export { version_cpu } from '@tensorflow/tfjs-backend-cpu';
