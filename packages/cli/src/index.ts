/**
 * What the command is made of, for programs.
 * @module @bulwark/cli
 */
export { starterConfig } from './commands/init.js';
export { layOver, loadConfig, type LoadedConfig } from './config/load.js';
export { override } from './config/override.js';
export { defineConfig, use, type Config, type DefinedConfig, type OwnSection, type Section } from './config/typed.js';
export { loadModel, type LoadedModel, type Prediction } from '@bulwark/inference';
export {
  evaluate,
  type AttackOptions,
  type CorruptedEvaluation,
  type CorruptionOptions,
  type CurveEvaluation,
  type CurveOptions,
  type EvaluateOptions,
  type TargetOptions,
  type UnionEvaluation,
  type UnionOptions,
} from './programs/evaluate.js';
export { autoAttackLog } from './evaluate/autoattack-log.js';
export { robustBenchEntry, type PaperFacts, type RobustBenchEntry } from './evaluate/robustbench.js';
export { loadRun, type FoundEvaluation, type LoadedRun } from './programs/load-run.js';
export { startRun, train, type TrainedRun, type TrainOptions } from './programs/train.js';
export { openRanks } from './train/ranks.js';
export { program } from './program.js';
export { checkSweep, loadSweep, type Sweep } from './sweep/sweep-file.js';
export { builtinRegistry } from './registry.js';
export type { CaseResult, VerifyRow } from './verify/types.js';
export { verify, type VerifyOptions, type VerifyReport } from './verify/verify.js';
