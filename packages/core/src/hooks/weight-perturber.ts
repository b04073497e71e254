import type * as tf from '../tensor/index.js';
import type { Classifier } from '../classifier/index.js';
import type { Gradients } from '../network/index.js';

/** Turns the per-example loss `[batch]` into the scalar that is differentiated; the default is the mean. */
export type Reduction = (perExample: tf.Tensor1D) => tf.Scalar;

/** What a weight perturber may use. */
export interface PerturbContext {
  readonly model: Classifier;
  /** Epoch, from 0. */
  readonly epoch: number;
  /**
   * Gradients of the objective's loss on the crafted batch at `offsets` from the current weights (default: none), with batch
   * statistics, nothing written. The caller disposes them.
   */
  gradients(options?: { offsets?: Gradients; reduction?: Reduction }): Gradients;
}

/** Hook: at which weights is the loss differentiated? */
export interface WeightPerturber {
  /** Offsets by parameter name to differentiate at, or undefined for the weights themselves. The trainer disposes them. */
  perturb(context: PerturbContext): Gradients | undefined;
}
