export { batchNormEval, batchNormTrain, conv2d, relu, signOf, signStep } from '../ops/index.js';
export { coreEngines } from './core-engines.js';
export { currentSession, registerSession } from './current.js';
export { defineEngine } from './define.js';
export type {
  Engine,
  EngineDefinition,
  EngineInstaller,
  EngineProbe,
  EngineRequest,
  EngineSession,
  InstalledPart,
  PrepareRequest,
  Refusal,
} from './engine.js';
export { byRank, useEngine } from './select.js';
export type { EngineChoice, UseEngineOptions } from './select.js';
export { loadTensorflow, tensorflow } from './tensorflow/index.js';
export type { TensorflowEngine, TensorflowLoad } from './tensorflow/index.js';
export { loadWebgpu, webgpu, type WebgpuEngine, type WebgpuLoad } from './webgpu/index.js';
export { wrongNumbers } from './numerics/index.js';
export { diagnoseEngine, measureSpeed, type EngineDiagnosis, type EngineSpeed } from './doctor/index.js';
