/** What core uses of TensorFlow.js's Layers models: users bring them, and networks are exported as them. */
export { layers } from '@tensorflow/tfjs-layers';
export type { LayersModel } from '@tensorflow/tfjs-layers';
