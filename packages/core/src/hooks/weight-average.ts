import type * as tf from '../tensor/index.js';
import type { Classifier } from '../classifier/index.js';
import type { HookState } from './objective.js';

/** Accuracy on held-out images of each class under one attack, in [0, 1]; undefined where the held-out images have none of the class. */
export interface ClassAccuracies {
  /** `clean`, or the attack's label. */
  readonly label: string;
  readonly byClass: readonly (number | undefined)[];
}

/** What a weight average sees at the end of an epoch. */
export interface EpochEnd {
  /** From 1. */
  readonly epoch: number;
  /** The natural training images, `[batch, h, w, c]`, in batches; each is the caller's to dispose. */
  batches(): Iterable<tf.Tensor4D>;
  /** Validates the weights as they are, not their average: clean, then the attacks of the config in order. For averages that say `needsValidation`. */
  validate(): Promise<readonly ClassAccuracies[]>;
}

/**
 * An average of the weights along the run. It never enters the training itself; it is what is validated, kept as best, evaluated and
 * exported. Its tensors are named `model/<parameter>` and `statistics/<running statistic>`; there are none before it begins.
 */
export interface WeightAverage {
  readonly state: HookState;
  /** Whether it calls `validate`: then a run without held-out images is refused. */
  readonly needsValidation?: boolean;
  /** After every update of the weights. */
  afterStep(model: Classifier): void;
  /** After every epoch, before its validation. An epoch that was interrupted there comes twice. */
  afterEpoch(model: Classifier, at: EpochEnd): void | Promise<void>;
  /** Frees the averaged copies. */
  dispose(): void;
}

/** The run that is averaged over, before its first step. */
export interface AveragedRun {
  readonly model: Classifier;
  /** Updates in the whole run. */
  readonly steps: number;
  readonly epochs: number;
}

/** Makes the average of one run. */
export type WeightAverageMaker = (run: AveragedRun) => WeightAverage;
