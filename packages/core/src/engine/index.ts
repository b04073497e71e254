export { batchNormEval, batchNormTrain, conv2d, relu, signOf, signStep } from './ops/index.js';
export { engineNames, useEngine, type EngineChoice, type EngineName } from './select.js';
