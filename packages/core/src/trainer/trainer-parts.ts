import type { Classifier } from '../classifier/index.js';
import type { Collective, TensorSums } from '../collective/index.js';
import type {
  Augmentation,
  ClassAccuracies,
  DataSource,
  EpochMetrics,
  Objective,
  Optimizer,
  Overfitting,
  Schedule,
  WeightAverage,
  WeightPerturber,
} from '../hooks/index.js';
import type { ComputeDtype } from '../network/index.js';
import type { ThreatModel } from '../threat/index.js';
import type { CallbackRunner } from './callbacks.js';
import type { TrainerBus } from './events.js';
import type { GuardOptions } from './guard.js';
import type { CheckpointStore, TrainingState } from './snapshot.js';

/** The parts a trainer is composed of. */
export interface TrainerParts {
  readonly model: Classifier;
  readonly data: DataSource;
  readonly objective: Objective;
  readonly weightPerturber?: WeightPerturber;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly average?: WeightAverage;
  readonly augmentations: readonly Augmentation[];
  readonly threat: ThreatModel;
  readonly bus: TrainerBus;
  /**
   * Accuracies on held-out data by name; decides `best` through `selectBest`. Throws if the signal is aborted. The same on all
   * ranks, which throw INTERRUPTED together if it is aborted on one.
   */
  readonly validate?: (epoch: number, signal?: AbortSignal) => Promise<Record<string, number>>;
  /** The same by class, for weight averages that ask for it. */
  readonly validateByClass?: (signal?: AbortSignal) => Promise<readonly ClassAccuracies[]>;
  /** Accuracy under a single step on the same data; asked where `validate` finds accuracy fallen and has no such figure. */
  readonly underSingleStep?: (signal?: AbortSignal) => Promise<number>;
  /** Checkpoints; of several ranks, that of rank 0. */
  readonly store?: CheckpointStore;
  /** Who looks on. */
  readonly callbacks?: CallbackRunner;
  /** The processes that train together, if there are several. All of them call `train` with the same parts and options. */
  readonly collective?: Collective;
  /** How they sum gradients; default: through the memory of the host. */
  readonly sums?: TensorSums;
}

/** How long, in which batches, and with what care a trainer trains. */
export interface TrainerOptions {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** Work through each batch in this many parts; default 1. */
  readonly accumulate?: number;
  /** Craft in bfloat16, where the engine can. */
  readonly craftDtype?: ComputeDtype;
  /** Largest Euclidean length of all gradients together; default: none. */
  readonly clipNorm?: number;
  /** Share of each batch in the running statistics, and in the very first step of the run; default: that of the layers. */
  readonly statisticsMomentum?: { readonly momentum?: number; readonly first?: number };
  /**
   * Of several processes: BatchNorm normalises with the batch of all of them, not with each one's part; what `checkSynchronised` refuses
   * is not to be asked for it. Default false.
   */
  readonly synchronised?: boolean;
  /** Validate after every n-th epoch and after the last. */
  readonly validateEvery: number;
  /** Name of the validation accuracy that chooses the best checkpoint. */
  readonly selectBest?: string;
  /** Write a checkpoint in mid-epoch when this many seconds have passed since the last one. */
  readonly checkpointSeconds: number;
  /** Default: stop at numbers that are not finite. */
  readonly guard?: GuardOptions;
  /** Written into every snapshot, so that a caller can tell whose it is. */
  readonly fingerprint?: string;
}

/** How a training ended. */
export interface TrainingResult {
  readonly reason: 'finished' | 'interrupted';
  readonly history: readonly EpochMetrics[];
  readonly best?: TrainingState['best'];
  /** How often the guard went back. */
  readonly rollbacks: number;
  /** Where robustness was lost, in epochs that were rolled back, too; absent without any. */
  readonly overfitting?: readonly Overfitting[];
}
