export { batchNormEval, batchNormTrain, conv2d, releasingEarly, relu, signOf, signStep } from './ops/index.js';
export { engineNames, useEngine } from './select.js';
export type { EngineChoice, EngineName, EngineOptions } from './select.js';
export { installTensorflow, listInstalled, loadTensorflow, removeInstalled } from './tensorflow/index.js';
export type { InstalledEngine, InstallOptions, TensorflowEngine, TensorflowLoad } from './tensorflow/index.js';
export { loadWebgpu, type WebgpuEngine, type WebgpuLoad } from './webgpu/index.js';
export { diagnoseEngine, measureSpeed, type EngineDiagnosis, type EngineSpeed } from './doctor/index.js';
