/**
 * Classifiers: passes of networks and of Layers models, as values.
 * @module @bulwark/core/classifier
 */
export { disposeStatistics, keepStatistics, parameterCount, type Classifier, type Mode } from './classifier.js';
export { inputGradient, logitGradients, logitsOf, type InputGradient, type LogitFunction } from './gradients.js';
export { classifierWith, passWith } from './members.js';
export { straightThrough, surrounded, type Surroundings } from './surrounded.js';
export {
  countingClassifier,
  withBatchRanks,
  withComputeDtype,
  withStatisticsMomentum,
  type PassCounts,
} from './wrap.js';
export { factsOf, normalisationOf, type ModelContext } from './facts.js';
export { classifierOfLayers, type LayersClassifier } from './layers.js';
export { createNetwork, type Network } from './network.js';
export { updateRunningStatistics } from './running-statistics.js';
