/**
 * What computes: engines as plugins, choosing and checking them, the ops that they have kernels for.
 * @module @bulwark/core/engine
 */
export * from '../ops/index.js';
export { repairAveragePoolGradient } from './average-pool-gradient.js';
export { composedKernels, registerComposedKernels } from './composed/index.js';
export { coreEngines, type CoreEngine } from './core-engines.js';
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
  Updates,
} from './engine.js';
export { measuredOrder } from './auto/index.js';
export { probeOf } from './promised.js';
export { byRank } from './rank.js';
export { useEngine } from './select.js';
export { unavailable } from './unavailable.js';
export { currentUpdates } from './updates.js';
export type { EngineChoice, UseEngineOptions } from './select.js';
export { wrongNumbers } from './numerics/index.js';
export { diagnoseEngine, measureSpeed, type EngineDiagnosis, type EngineSpeed } from './doctor/index.js';
