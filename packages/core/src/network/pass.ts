import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../tensor/index.js';

/** What a pass computes in between its layers. Images, weights, logits and gradients are float32 all the same. */
export type ComputeDtype = 'float32' | 'bfloat16';

/**
 * Several processes that each have some examples of one batch, for layers that normalise with the whole of it. All make the same passes, in
 * the same order.
 */
export interface BatchRanks {
  /** What each process gave that has examples of its own, by rank; of one length. */
  gather(own: Float32Array): readonly Float32Array[];
}

/** What a caller wants of a pass. */
export interface PassRequest {
  /**
   * What BatchNorm normalises with: `eval`, the running statistics; `batch`, the statistics of the batch, which are handed to the
   * caller. No pass writes running statistics: the caller applies what it was given, in the order of its method.
   */
  readonly mode: 'eval' | 'batch';
  /** What `pullback` gives gradients with respect to; `all` is images and parameters. `nothing` keeps nothing for the way back. */
  readonly wrt: 'nothing' | 'images' | 'parameters' | 'all';
  /**
   * Layers whose outputs the caller wants to look at: names, or `<name>.input` for what a layer reads. Such a pass is made op by op on every
   * engine; only models that are graphs of layers can.
   */
  readonly features?: readonly string[];
  /** Default float32. An engine that has no such kernels computes in float32. */
  readonly computeDtype?: ComputeDtype;
  /**
   * In mode `batch`: who has the rest of the batch. Then BatchNorm normalises with the statistics of the examples of all, and gradients
   * with respect to images and through the statistics are those of the sum of what all pull back. Heeded by classifiers that say so
   * (`acrossRanks`), op by op.
   */
  readonly ranks?: BatchRanks;
}

/** Mean and variance of one normalisation layer's input over one batch; `count` values went into each. */
export interface LayerStatistics {
  /** `[channels]` float32. */
  readonly mean: Tensor1D;
  /** `[channels]` float32, as the engine found it: times `bessel` it is the unbiased variance. */
  readonly variance: Tensor1D;
  /** 1, or n / (n - 1) where the engine divides by the number of values n. */
  readonly bessel: number;
  readonly count: number;
}

/** Batch statistics of one batch, by layer name. They can be applied any number of times. */
export type BatchStatistics = ReadonlyMap<string, LayerStatistics>;

/** Gradients by parameter name; a parameter that the loss does not reach has no entry. */
export type Gradients = ReadonlyMap<string, Tensor>;

/** Is given the gradient in a parameter, and has it from then on. */
export type TakeGradient = (name: string, gradient: Tensor) => void;

/** What a pullback gives; all tensors are the caller's. */
export interface PulledBack {
  /** With respect to the images of each batch, `[batch, h, w, c]` float32; zeros where no gradient was given. Empty if not asked for. */
  readonly images: readonly Tensor4D[];
  /** With respect to the parameters, summed over the batches, without those that were taken. Empty if not asked for. */
  readonly parameters: Gradients;
}

/**
 * A forward pass of one or more batches of images, with everything that its caller may need of it. Its tensors were made in the scope
 * (`tf.tidy`) in which the pass was made; whoever made it calls `dispose` when it needs it no more.
 */
export interface Pass {
  /** `[batch, classes]` float32 of each batch, on no gradient tape. */
  readonly logits: readonly Tensor2D[];
  /** Of each batch, in mode `batch`; empty in mode `eval`. */
  readonly statistics: readonly BatchStatistics[];
  /** Of each batch, outputs of the layers that the request names, `[batch, ...]` float32; empty if it names none. */
  readonly features?: readonly ReadonlyMap<string, Tensor>[];
  /**
   * Gradients of a function of the logits with respect to what the pass was asked for, at the weights of the pass: these must not have
   * changed since. Frees what the pass kept, unless `keep`: then it may be called again.
   * @param dLogits of each batch, the function's gradient with respect to its logits, `[batch, classes]` float32; null: it does not
   *   depend on them
   * @param options.dFeatures of each batch, the function's gradient with respect to features of the pass; what is left out does not matter
   * @param options.take an executor that comes by gradients in parameters one after the other gives each to this as soon as it is whole,
   *   those of late layers first; all others are in what is returned
   */
  pullback(
    dLogits: readonly (Tensor2D | null)[],
    options?: {
      readonly keep?: boolean;
      readonly dFeatures?: readonly ReadonlyMap<string, Tensor>[];
      readonly take?: TakeGradient;
    },
  ): PulledBack;
  /** Frees logits, statistics and whatever the pass still keeps. May be called twice. */
  dispose(): void;
}

/** Runs passes of one network. */
export interface Executor {
  /** What passes of this network can compute in; float32 always. */
  readonly dtypes: readonly ComputeDtype[];
  /**
   * Makes a pass.
   * @param images of each batch, `[batch, h, w, c]` float32; each batch is normalised by itself
   */
  pass(images: readonly Tensor4D[], request: PassRequest): Pass;
  /** Why passes that the engine would run whole go op by op, if they do. */
  opByOpBecause?(): string | undefined;
  /** Frees what is kept of graphs and weights. */
  dispose(): void;
}

/**
 * The variables of a network by name, as executors see them. Trained parameters come first, in graph order, running statistics after
 * them.
 */
export interface ParameterStore {
  /** Trained parameters, in graph order. */
  readonly parameters: readonly string[];
  /** Running statistics (`<layer>.running_mean`, `<layer>.running_var`). */
  readonly statistics: readonly string[];
  /** The current value: convolution kernels are HWIO, linear kernels `[in, out]`, all others `[channels]`. */
  value(name: string): Tensor;
}
