export { diagnoseEngine, type EngineDiagnosis } from './diagnose.js';
export { measureSpeed, type EngineSpeed } from './speed.js';
