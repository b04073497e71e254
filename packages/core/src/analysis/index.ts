/**
 * Loss landscapes, angles, pairs of examples: what looks at models and training.
 * @module @bulwark/core/analysis
 */
export {
  angleBetween,
  craftedPairs,
  perturbationAngles,
  searchPairs,
  type AnglePixels,
  type StepAngles,
} from './angles.js';
export {
  collaborativeLosses,
  type CollaborativeLoss,
  type CollaborativeOptions,
  type LossAndAccuracy,
} from './collaborative.js';
export { lossSurface, orthogonalTo, type LandscapeOptions, type LossSurface } from './landscape.js';
export { neighbour, type Search, type Side as NeighbourSide } from './neighbours.js';
