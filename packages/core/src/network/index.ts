/**
 * Networks as graphs of layers, one file per layer op, and the executor that runs them op by op.
 * @module @bulwark/core/network
 */
export { layers } from './layers/index.js';
export { batchNormEpsilon } from './layers/batch-norm.js';
export type { Initialisation } from './layers/conv.js';
export {
  defineLayer,
  inputsOf,
  stockName,
  type Backward,
  type BackwardContext,
  type BaseNode,
  type Forward,
  type Layer,
  type LayerContext,
  type NodeId,
  type OnnxContext,
  type Shape,
  type Start,
  type StockLayer,
  type VariableSpec,
} from './layer.js';
export { layerOf, networkGraph, type GraphBuilder, type NetworkGraph, type Node } from './graph.js';
export { graphParameterCount, multiplyAccumulates } from './cost.js';
export { initialVariables, storeOf, type Variables } from './initialise.js';
export { variableSpecs } from './variables.js';
export { featureNames, featureNode } from './features.js';
export { planPass, type Step } from './plan.js';
export { eagerExecutor, type EagerOptions } from './eager.js';
export type {
  BatchRanks,
  BatchStatistics,
  ComputeDtype,
  Executor,
  Gradients,
  LayerStatistics,
  ParameterStore,
  Pass,
  PassRequest,
  PulledBack,
  TakeGradient,
} from './pass.js';
