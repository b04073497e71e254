import * as tf from '../tensor/index.js';
import type { ImageShape } from '../batch.js';
import type { ArchitectureSpec } from '../formats/index.js';
import type { BatchStatistics, ComputeDtype, Pass, PassRequest } from '../network/index.js';

/**
 * What BatchNorm does in a forward pass.
 * - `eval`: normalise with running statistics
 * - `batch`: normalise with batch statistics, write nothing
 * - `train`: normalise with batch statistics, then update the running statistics
 */
export type Mode = PassRequest['mode'] | 'train';

/** A differentiable classifier of images in [0, 1] with named parameters. Normalisation of inputs happens inside. */
export interface Classifier {
  /** The architecture, for messages and model cards. */
  readonly name: string;
  /** The plugin and the options that made it; written into every file of its weights. */
  readonly architecture?: ArchitectureSpec;
  readonly inputShape: ImageShape;
  readonly classes: number;
  /** Trainable variables by name, in a fixed order. Kernels are those of rank above 1. */
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  /** Running statistics by name (`<layer>.running_mean`, `<layer>.running_var`), never trained. */
  readonly statistics: ReadonlyMap<string, tf.Variable>;
  /**
   * Passes batches of images, each `[batch, h, w, c]` float32, and gives back all that may be needed of the pass: logits, batch
   * statistics, gradients. Writes nothing. Several batches in one call may be computed side by side; each is normalised by itself.
   */
  pass(images: readonly tf.Tensor4D[], request: PassRequest): Pass;
  /** What passes can compute in on the current engine; default float32 alone. */
  dtypes?(): readonly ComputeDtype[];
  /** True if passes heed `ranks`: BatchNorm can then normalise with a batch that several processes share. */
  readonly acrossRanks?: boolean;
  /** Why the current engine runs passes op by op although it usually runs them whole; undefined where it does not. */
  opByOpBecause?(): string | undefined;
  /**
   * Logits `[batch, classes]` on TensorFlow.js's gradient tape, in ops that it can differentiate twice: for methods that differentiate
   * a gradient. Slow, and keeps every activation.
   */
  taped(images: tf.Tensor4D, mode: PassRequest['mode']): tf.Tensor2D;
  /**
   * One update of the running statistics with those of a batch (unbiased variance, as PyTorch).
   * @param momentum the batch's share; default: that of each layer, mostly 0.1
   */
  applyStatistics(statistics: BatchStatistics, momentum?: number): void;
  /**
   * What is done to images before the network sees them, and the classifier behind it: where gradients do not pass the first, as rounding or
   * compression let none, trust checks take it for the identity on the way back (`straightThrough`).
   */
  readonly preprocessed?: {
    /** Images `[batch, h, w, c]` in, what the network sees of them out. */
    readonly by: (images: tf.Tensor4D) => tf.Tensor4D;
    /** Takes what comes out of it. */
    readonly behind: Classifier;
  };
  /** True if functions are around the network that no file holds: its weights can be written then, but not what it computes. */
  readonly surrounded?: true;
  /** Frees all variables. */
  dispose(): void;
}

/** Copies of batch statistics that outlive their pass; the caller disposes them with `disposeStatistics`. */
export function keepStatistics(statistics: BatchStatistics): BatchStatistics {
  return new Map(
    [...statistics].map(([layer, { mean, variance, ...rest }]) => [
      layer,
      { mean: tf.keep(mean.clone()), variance: tf.keep(variance.clone()), ...rest },
    ]),
  );
}

/** Frees batch statistics that were kept. */
export function disposeStatistics(statistics: BatchStatistics): void {
  for (const { mean, variance } of statistics.values()) tf.dispose([mean, variance]);
}

/**
 * Number of trainable scalars.
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * parameterCount(createNetwork(graph, { name: 'linear', random: blankRandom })); // => 15
 * ```
 * @category Networks and passes
 */
export function parameterCount(classifier: Classifier): number {
  return [...classifier.parameters.values()].reduce((sum, { size }) => sum + size, 0);
}
