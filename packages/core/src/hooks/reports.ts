/** Numbers of one epoch, as written to `metrics.jsonl`; a pure function of config, seed and engine (no timings). */
export interface EpochMetrics {
  /** From 1. */
  readonly epoch: number;
  /** Steps made so far in the run. */
  readonly steps: number;
  readonly learningRate: number;
  /** The loss that was differentiated, mean over the epoch's examples. */
  readonly loss: number;
  /** Each term without its weight, mean over the epoch's examples. */
  readonly terms: Readonly<Record<string, number>>;
  /** Cross-entropy and accuracy of the outer passes by role, and what else observers of the step measured. */
  readonly train: Readonly<Record<string, number>>;
  /** Accuracies on the validation split: `clean`, then one per attack label. Absent in epochs without validation. */
  readonly validation?: Readonly<Record<string, number>>;
}

/** One finished step. */
export interface StepReport {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Within the epoch, from 1. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
  readonly learningRate: number;
  readonly examples: number;
  readonly seconds: number;
}

/** One of the two checkpoints that a run ends with. */
export interface FinalCheckpoint {
  readonly epoch: number;
  /** Accuracies on the validation split when it was saved; it may have been chosen by them. */
  readonly validation?: Readonly<Record<string, number>>;
  /** Accuracies on the images of `evaluation.final`. */
  readonly accuracy?: Readonly<Record<string, number>>;
}

/** One loss of robustness, in accuracies on validation images. */
export interface Overfitting {
  /** The epoch after which it was seen, from 1. */
  readonly epoch: number;
  /** The attack of several steps under which accuracy fell. */
  readonly attack: string;
  /** Its best accuracy so far, and the one after this epoch. */
  readonly best: number;
  readonly robust: number;
  /** Accuracy under a single step after this epoch. */
  readonly singleStep: number;
  /** True if training went back to before this epoch. */
  readonly rolledBack?: boolean;
}

/** What a finished run reports: the best and the last checkpoint, and what stopping early was worth. */
export interface RunSummary {
  readonly name: string;
  readonly seed: number;
  readonly engine: string;
  /** True if the passes of attacks in training were computed in bfloat16. */
  readonly reducedPrecision?: true;
  /** How the run was computed where that was not float32 throughout, in words. */
  readonly arithmetic?: string;
  /** False if the engine need not give the same bits again: resumed or repeated, such a run may end a little differently. */
  readonly repeatable?: false;
  /** Why the engine ran passes of this model op by op, where it usually runs passes whole. */
  readonly opByOpBecause?: string;
  /** How many processes trained together, at the end, if there were several. */
  readonly ranks?: number;
  /** Of several processes: what summed their gradients, where that was not the memory of the host. */
  readonly summedBy?: string;
  /** Of several processes: BatchNorm normalised with the batch of all of them; its passes went op by op. */
  readonly batchNorm?: 'synchronised';
  readonly epochs: number;
  /** The numbers of epochs that it had before it was extended: its schedule then followed these. */
  readonly extended?: readonly number[];
  /** Validation accuracy that chose the best checkpoint. */
  readonly selectedBy?: string;
  /** Images that `accuracy` was measured on. */
  readonly split: 'test' | 'validation' | 'none';
  readonly images?: number;
  readonly best?: FinalCheckpoint & { readonly value: number; readonly metric: string };
  readonly last: FinalCheckpoint & EpochMetrics;
  /** Accuracy of the best checkpoint less that of the last, by the accuracy that chose it: robust overfitting. */
  readonly gap?: number;
  readonly rollbacks: number;
  /** Where robustness was lost within an epoch, in epochs that were rolled back, too. */
  readonly overfitting?: readonly Overfitting[];
}
