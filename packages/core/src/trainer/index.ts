/**
 * The training step and loop, optimizers, schedules, weight averages.
 * @module @bulwark/core/trainer
 */
export { batchGradients, splitBatch, type BatchGradients, type Part } from './accumulate.js';
export { createEma, createFairAverage, createSwa, emaDecay, withAverage, type EmaOptions } from './averaging.js';
export { trainedStatistics } from './companions.js';
export { createBus, type CheckpointKind, type TrainerBus, type TrainerEvents } from './events.js';
export { frozenCopy, runCallbacks, type CallbackRunner, type NamedCallback } from './callbacks.js';
export { lossGradients, type LossGradients, type Place } from './gradients.js';
export type { GuardOptions } from './guard.js';
export { DrawnAhead } from './drawn-ahead.js';
export { findFall, isSingleStep, overfittingOf, type Fall, type OverfittingOptions } from './overfitting.js';
export { createPipeline, type Pipeline } from './pipeline.js';
export { atPerturbedWeights, disposeGradients } from './perturbed.js';
export { createAdamW, type AdamWOptions } from './adamw.js';
export { decayGroups, type DecayGroup } from './decay.js';
export { snapshotOfFirst, storeOfFirst } from './ranks.js';
export { partCuts, shareOf, type Share } from './share.js';
export { checkSecondOrder } from './second-order.js';
export { checkSynchronised } from './synchronised.js';
export { createSgd, type SgdOptions } from './sgd.js';
export * as schedules from './schedules.js';
export {
  initialState,
  memoryStore,
  restoreModel,
  restoreSnapshot,
  snapshotVersion,
  takeSnapshot,
  type CheckpointStore,
  type Snapshot,
  type TrainingState,
} from './snapshot.js';
export { disposeOutcome, stepGradients, trainStep, type StepOutcome, type StepSetup } from './step.js';
export { isStop, train } from './trainer.js';
export type { TrainerOptions, TrainerParts, TrainingResult } from './trainer-parts.js';
