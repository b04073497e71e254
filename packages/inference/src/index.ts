/**
 * Load a trained model and predict.
 * @module @bulwark/inference
 */
export type { DecodedImage, ImageInput, SharpImage } from './images.js';
export {
  loadModel,
  type LoadedModel,
  type LoadModelOptions,
  type PredictOptions,
  type Prediction,
} from './load-model.js';
