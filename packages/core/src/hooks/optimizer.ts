import type * as tf from '../tensor/index.js';
import type { Gradients } from '../network/index.js';

/** Updates parameters from gradients. State is keyed by parameter name. */
export interface Optimizer {
  /**
   * One update in place; parameters without a gradient are skipped (no decay either).
   * @param schedule.momentum in place of the optimizer's own, where the schedule moves it (of Adam: beta1); an optimizer without momentum ignores it
   */
  apply(
    parameters: ReadonlyMap<string, tf.Variable>,
    gradients: Gradients,
    learningRate: number,
    schedule?: { readonly momentum?: number },
  ): void;
  /**
   * Adds the coupled (L2) weight decay to gradients, taken at `at` (the weights that the loss was differentiated at).
   * Returns new tensors for those that change.
   */
  decayed(gradients: Gradients, at: ReadonlyMap<string, tf.Tensor>): Gradients;
  readonly learningRate: number;
  /** Slots by name (`momentum/<parameter>`), for checkpoints. The optimizer keeps ownership. */
  slots(): ReadonlyMap<string, tf.Tensor>;
  /** Goes on from saved slots; copies them. */
  restoreSlots(slots: ReadonlyMap<string, tf.Tensor>): void;
  /** Frees all slots. */
  dispose(): void;
}

/** Where a run is. */
export interface Progress {
  /** Epoch, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Step within the epoch, from 0. */
  readonly step: number;
  readonly stepsPerEpoch: number;
}

/** Factor on the base learning rate: a pure function of where the run is. */
export interface Schedule {
  /** Multiplies the base learning rate at this place. */
  factor(progress: Progress): number;
  /** The momentum at this place, for schedules that move it (cyclic and one-cycle policies); undefined: the optimizer's own. */
  momentum?(progress: Progress): number | undefined;
}
