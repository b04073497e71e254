import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { ComputeDtype, NetworkGraph, Step } from '@bulwark/core/network';
import type { OwnConvolution } from '../own-convolution.js';

/** Most batches that pass side by side, each with statistics of its own: what one leaves idle another uses. */
export const mostBatches = 3;

/** A pass of a network, to be compiled as a whole. */
export interface CompileRequest {
  readonly graph: NetworkGraph;
  readonly steps: readonly Step[];
  /** Where BatchNorm's statistics come from: `eval` is running statistics, `batch` those of the batch. */
  readonly mode: 'eval' | 'batch';
  /** What images are computed in between the layers. Images, weights, logits and gradients that are given and found are float32. */
  readonly dtype: ComputeDtype;
  /** Where the library has our own convolution. */
  readonly own: OwnConvolution | undefined;
}

/** What a BatchNorm found in a batch, `[channels]` each; the variance is the unbiased one. */
export interface FoundStatistics {
  readonly layer: string;
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
}

/** What a run of the forward part finds, of each batch. */
export interface CompiledForward {
  /** `[batch, classes]` each. */
  readonly logits: Tensor2D[];
  /** In mode `batch`, else empty. */
  readonly statistics: FoundStatistics[][];
  /** What the way back needs, variables among it; empty if nothing was to be kept. */
  readonly residuals: Tensor[][];
}

/** A compiled pass of at most `mostBatches` batches. It holds no weights: each run reads the variables, by name. */
export interface CompiledPass {
  /** Do its largest ops use all threads, so that two halves of a batch side by side bring nothing? */
  readonly threaded: boolean;
  /**
   * @param images of each batch, `[batch, ...graph.inputShape]` float32
   * @param options.keep whether gradients will be asked for
   */
  forward(images: readonly Tensor4D[], value: (name: string) => Tensor, options: { keep: boolean }): CompiledForward;
  /** Gradients with respect to the images of gradients with respect to the logits, `[batch, classes]`. */
  inputGradients(dLogits: readonly Tensor2D[], residuals: readonly (readonly Tensor[])[]): Tensor4D[];
  /** With respect to all parameters by name, summed over the batches; of a pass in float32 with batch statistics. */
  readonly parameterGradients?: (
    dLogits: readonly Tensor2D[],
    residuals: readonly (readonly Tensor[])[],
    options: { images: boolean },
  ) => { images: Tensor4D[]; parameters: Map<string, Tensor> };
  /** Frees what the pass keeps of weights; the next run computes it again. */
  release(): void;
  dispose(): void;
}
