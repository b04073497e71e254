import type { EpochMetrics, RunSummary, StepReport } from './reports.js';

/** Reads the model's numbers. Only copies leave it, and only while the call lasts that it was given to. */
export interface ModelReader {
  /** Names of the parameters. */
  readonly parameters: readonly string[];
  /** Names of the running statistics. */
  readonly statistics: readonly string[];
  /** Shape of a parameter or of running statistics. */
  shape(name: string): readonly number[];
  /** A copy of their numbers. Waits for the engine. */
  read(name: string): Promise<Float32Array>;
}

/** A run that begins or goes on. */
export interface RunStarted {
  readonly name: string;
  /** Run folder; a callback may write files of its own names into it. */
  readonly folder: string;
  /** The config with all defaults. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Of the engine. */
  readonly engine: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** True if the run folder was there before: its config may come from anyone. */
  readonly opened: boolean;
  /** Where a resumed run goes on: epochs and steps of the current epoch that are done. */
  readonly resumedAt?: { readonly epoch: number; readonly step: number };
  /** The finished epochs of a resumed run. */
  readonly history: readonly EpochMetrics[];
  readonly model: ModelReader;
}

/** A step that is done. */
export interface StepSeen extends StepReport {
  /** Steps made in the run so far, from 1. */
  readonly position: number;
  /** Cross-entropy and accuracy of the outer passes by role: `adversarial.accuracy`. */
  readonly train: Readonly<Record<string, number>>;
  readonly model: ModelReader;
}

/** An epoch that is done, validated and saved. */
export interface EpochSeen {
  readonly metrics: EpochMetrics;
  /** All epochs so far, this one included. */
  readonly history: readonly EpochMetrics[];
  /** The epoch of the best checkpoint so far, and what chose it. */
  readonly best?: { readonly epoch: number; readonly value: number; readonly metric: string };
  readonly seconds: number;
  readonly examples: number;
  readonly model: ModelReader;
}

/** How a run has ended, or stopped for now. */
export interface RunEnded {
  readonly reason: 'finished' | 'interrupted' | 'failed';
  /** Of a finished run. */
  readonly summary?: RunSummary;
  /** Why it failed. */
  readonly error?: string;
}

/**
 * Hook: who looks on while a run trains? A callback sees copies, frozen at any depth, so that a run computes the same with and without it.
 * The run waits for promises. What throws is named and switched off, or ends the run, as `guard.callbacks` says; in `start` it always ends
 * the run, before anything is computed.
 */
export interface Callback {
  /** Training begins or goes on. */
  start?(run: RunStarted): void | Promise<void>;
  /** After every step. */
  step?(seen: StepSeen): void | Promise<void>;
  /** After every epoch, when its checkpoint is written: a resumed run tells of no epoch twice. */
  epoch?(seen: EpochSeen): void | Promise<void>;
  /** The guard went back to the start of `epoch` (from 1): what was seen of it and of later ones is void. */
  rollback?(at: { readonly epoch: number; readonly reason: string }): void | Promise<void>;
  /** Once, at the end. */
  end?(run: RunEnded): void | Promise<void>;
}
