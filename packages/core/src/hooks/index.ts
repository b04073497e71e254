/**
 * The four hooks and the contracts of all other plugin kinds.
 * @module @bulwark/core/hooks
 */
export type { Callback, EpochSeen, ModelReader, RunEnded, RunStarted, StepSeen } from './callback.js';
export type { EpochMetrics, FinalCheckpoint, Overfitting, RunSummary, StepReport } from './reports.js';
export type { Attack, AttackContext, AttackObservation } from './attack.js';
export {
  permutationSampler,
  withDrawn,
  type Augmentation,
  type DataSource,
  type RawBatch,
  type Sampler,
  type TestGroup,
} from './data-source.js';
export {
  progressOf,
  type CraftContext,
  type Crafted,
  type CraftObservation,
  type InnerOptimizer,
  type Role,
} from './inner-optimizer.js';
export type { LaunchedJob, LaunchJob, Launcher } from './launcher.js';
export {
  checkObjective,
  passes,
  pointsOfPass,
  rolesOfPass,
  termNames,
  weightOf,
  type HookState,
  type Objective,
  type ObjectiveExtras,
  type OuterPass,
  type PassText,
  type SecondOrderTerm,
  type Term,
} from './objective.js';
export type { Optimizer, Progress, Schedule } from './optimizer.js';
export {
  objectiveOf,
  passesOf,
  weighted,
  type ObjectiveForm,
  type PerExample,
  type PointMaker,
  type WeightedTerm,
} from './objective-form.js';
export { readsOf, type Reads } from './trace.js';
export { renamed, viewsWith, type Logits, type StepFindings, type Views } from './views.js';
export type { AveragedRun, ClassAccuracies, EpochEnd, WeightAverage, WeightAverageMaker } from './weight-average.js';
export type { PerturbContext, Reduction, WeightPerturber } from './weight-perturber.js';
