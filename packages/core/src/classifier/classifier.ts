import * as tf from '@tensorflow/tfjs-core';
import type { ImageShape } from '../batch.js';
import type { ArchitectureSpec } from '../formats/index.js';

/**
 * What BatchNorm does in a forward pass.
 * - `train`: normalise with batch statistics and update the running statistics
 * - `batch`: normalise with batch statistics, write nothing
 * - `eval`: normalise with running statistics
 */
export type Mode = 'train' | 'batch' | 'eval';

/** Mean and biased variance of one normalisation layer's input over one batch; `count` values went into each. */
export interface LayerStatistics {
  readonly mean: tf.Tensor1D;
  readonly variance: tf.Tensor1D;
  readonly count: number;
}

/**
 * Batch statistics of one forward pass, by layer name. Kept tensors: whoever captured them disposes them with
 * `disposeStatistics`. They can be applied any number of times, in the order that a method prescribes.
 */
export type BatchStatistics = ReadonlyMap<string, LayerStatistics>;

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
  /** Logits `[batch, classes]` float32 of images `[batch, h, w, c]` float32. */
  forward(images: tf.Tensor4D, mode: Mode): tf.Tensor2D;
  /** A pass in `batch` mode that also hands over the batch statistics. */
  forwardCapturing(images: tf.Tensor4D): { logits: tf.Tensor2D; statistics: BatchStatistics };
  /** One update of the running statistics, as a pass in `train` mode makes it (momentum 0.1, unbiased variance). */
  applyStatistics(statistics: BatchStatistics): void;
  /** Frees all variables. */
  dispose(): void;
}

/** Frees captured batch statistics. */
export function disposeStatistics(statistics: BatchStatistics): void {
  for (const { mean, variance } of statistics.values()) tf.dispose([mean, variance]);
}

/** Number of trainable scalars. */
export function parameterCount(classifier: Classifier): number {
  return [...classifier.parameters.values()].reduce((sum, { size }) => sum + size, 0);
}
