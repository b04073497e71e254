export {
  disposeStatistics,
  parameterCount,
  type BatchStatistics,
  type Classifier,
  type LayerStatistics,
  type Mode,
} from './classifier.js';
export {
  networkGraph,
  type GraphBuilder,
  type Initialisation,
  type NetworkGraph,
  type Node,
  type NodeId,
} from './graph.js';
export { graphParameterCount, multiplyAccumulates } from './cost.js';
export { factsOf, normalisationOf, type ModelContext } from './facts.js';
export { withConstantParameters } from './constant-parameters.js';
export { forwardCapturingEach, forwardEach } from './forward-each.js';
export { passIsKept, withRepeatedImages } from './repeated-images.js';
export { reducesPrecision, withReducedPrecision } from './reduced-precision.js';
export { classifierOfLayers, type LayersClassifier } from './layers.js';
export { createNetwork, type Network } from './network.js';
export { updateRunningStatistics } from './running-statistics.js';
export { variableSpecs, type Start, type VariableSpec } from './variables.js';
