import { EventEmitter } from 'eventemitter3';
import type { EpochMetrics, Overfitting, StepReport } from '../hooks/index.js';

/** `last`: where to go on; `epoch`: the end of the last epoch, which rollbacks go to; `best`: chosen by validation. */
export type CheckpointKind = 'last' | 'epoch' | 'best';

/** Facts that the trainer reports. Listeners observe; they never steer. */
export interface TrainerEvents {
  /** Training begins or goes on. */
  'run:start': (event: { epochs: number; stepsPerEpoch: number; resumedAt?: { epoch: number; step: number } }) => void;
  /** A step is finished. */
  step: (report: StepReport) => void;
  /** An epoch and its validation are finished. */
  'epoch:end': (event: { metrics: EpochMetrics; seconds: number; examples: number }) => void;
  /** A validation is on its way. */
  'validation:progress': (event: { label: string; share: number }) => void;
  /** A checkpoint is written. */
  checkpoint: (event: { kinds: readonly CheckpointKind[]; epoch: number; step: number; seconds: number }) => void;
  /** The guard went back to the start of `epoch` (from 1) because of `reason`. */
  rollback: (event: { epoch: number; learningRateScale: number; reason: string }) => void;
  /** Robustness was lost within an epoch; once for each loss. */
  overfitting: (event: Overfitting & { message: string }) => void;
  /** Something that a person should know. */
  warning: (event: { message: string }) => void;
  /** Training has ended. */
  'run:end': (event: { reason: 'finished' | 'interrupted'; epoch: number }) => void;
}

/** Reports facts about a run to observers; listeners never steer it. */
export type TrainerBus = EventEmitter<TrainerEvents>;

/** A bus for one run. */
export const createBus = (): TrainerBus => new EventEmitter<TrainerEvents>();
