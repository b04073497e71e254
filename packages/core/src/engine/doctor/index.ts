export { diagnoseEngine, type EngineDiagnosis } from './diagnose.js';
export { wrongNumbers } from './numerics.js';
export { measureSpeed, type EngineSpeed } from './speed.js';
