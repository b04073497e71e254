export { batchNormEval, batchNormTrain, conv2d, relu, signOf, signStep } from './ops/index.js';
export { engineNames, useEngine, type EngineChoice, type EngineName } from './select.js';
export { installTensorflow, listInstalled, loadTensorflow, removeInstalled } from './tensorflow/index.js';
export type { InstalledEngine, InstallOptions, LoadOptions, TensorflowEngine, TensorflowLoad } from './tensorflow/index.js';
