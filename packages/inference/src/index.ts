/**
 * Load a trained model and predict.
 * @module @bulwark/inference
 */
export type { DecodedImage, ImageInput } from './images.js';
export {
  loadModel,
  type LoadedModel,
  type LoadModelOptions,
  type PredictOptions,
  type Prediction,
} from './load-model.js';
