import type * as tf from '../tensor/index.js';
import type { Classifier } from '../classifier/index.js';
import type { Random } from '../random.js';
import type { NormName, ThreatModel } from '../threat/index.js';

/** What an attack gets: a model that it uses in `eval` mode only and never changes. */
export interface AttackContext {
  readonly model: Classifier;
  readonly threat: ThreatModel;
  /** Evaluation noise. */
  readonly random: Random;
  /** Clean logits that the caller has already; they count for these very images and this very model only. */
  readonly clean?: { readonly model: Classifier; readonly images: tf.Tensor4D; readonly logits: tf.Tensor2D };
  /** Called between iterations with the share done, in [0, 1]; throws to stop the attack. */
  readonly progress?: (share: number) => void;
  /** Collects what an attack noticed on the way (zero gradients, for example), for the trust checks. */
  readonly observe?: (observation: AttackObservation) => void;
}

/** One thing an attack noticed. */
export interface AttackObservation {
  readonly kind: string;
  /** One flag or number per example of the batch. */
  readonly perExample?: Float32Array | Int32Array | Uint8Array;
  readonly note?: string;
}

/** An evaluation attack: one adversarial candidate per image. */
export interface Attack {
  /** Shown in results, e.g. `pgd-20`. */
  readonly label: string;
  /** What the attack was made with, as plain JSON: recorded in results, and what decides whether two results belong together. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /**
   * The parts of an ensemble in their order. An evaluator runs each part on the examples that survived the parts before it, in full
   * batches; `run` does the same within one batch.
   */
  readonly stages?: readonly Attack[];
  /**
   * The attack to run instead on a model with this many classes, where this one needs more (DLR needs 3, targeted DLR 4): itself, or one with
   * a label of its own, so that no result carries the name of an attack that was not run.
   */
  forClasses?(classes: number): Attack;
  /**
   * It seeks the smallest perturbation: its candidates are the nearest misclassified points that it found, in the ball or not. Those
   * outside break nothing, but tell how far away the boundary is at most.
   */
  readonly minimumNorm?: boolean;
  /** The norms that it can be run in; default all. Whoever runs it in another is told before anything is attacked. */
  readonly norms?: readonly NormName[];
  /**
   * @param images `[batch, h, w, c]` float32 in [0, 1]
   * @param labels `[batch]` int32
   * @returns candidates `[batch, h, w, c]` float32 in [0, 1] inside the threat model's ball (of a minimum-norm attack: of any
   *   length); the evaluator judges them, not the attack
   */
  run(images: tf.Tensor4D, labels: tf.Tensor1D, context: AttackContext): tf.Tensor4D | Promise<tf.Tensor4D>;
}
