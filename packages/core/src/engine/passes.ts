import { getBackend } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { NetworkGraph } from '../classifier/graph.js';
import type { Step } from '../classifier/plan.js';

/** A pass of a network that writes nothing, to be compiled as a whole. */
export interface PassRequest {
  readonly graph: NetworkGraph;
  readonly steps: readonly Step[];
  /** Where BatchNorm's statistics come from: `eval` is running statistics, `batch` those of the batch. */
  readonly mode: 'eval' | 'batch';
  /** BatchNorm's. */
  readonly epsilon: number;
  /** What images are computed in between the layers. Images, weights, logits and gradients that are given and found are float32. */
  readonly elements: 'float32' | 'bfloat16';
  /** Most batches that pass side by side, each with statistics of its own: what one leaves idle another uses. */
  readonly batches: number;
}

/** What a BatchNorm found in a batch, [channels] each; the variance is the unbiased one. */
export interface FoundStatistics {
  readonly layer: string;
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
}

/** A compiled pass of at most `batches` batches. It holds no weights: each run reads the variables, by name. */
export interface CompiledPass {
  /**
   * @param images of each batch, [batch, ...graph.inputShape] float32
   * @param options.keep whether the gradient will be asked for
   * @returns for each batch the logits, [batch, classes], and what `inputGradient` needs, variables among it
   */
  forward(
    images: readonly Tensor4D[],
    value: (name: string) => Tensor,
    options: { keep: boolean },
  ): { logits: Tensor2D[]; kept: Tensor[][] };
  /**
   * Gradients in the images, as these, of gradients in the logits, [batch, classes]. The batches may come from several
   * forward passes, with the same weights.
   */
  inputGradient(dLogits: readonly Tensor2D[], kept: readonly (readonly Tensor[])[]): Tensor4D[];
  /** Of a pass in float32 with batch statistics: the pass that weights learn from. */
  readonly training?: {
    /** `forward` with `keep`, and the statistics of each batch. */
    forward(
      images: readonly Tensor4D[],
      value: (name: string) => Tensor,
    ): { logits: Tensor2D[]; kept: Tensor[][]; statistics: FoundStatistics[][] };
    /** `inputGradient`, and the gradients in all parameters by name, summed over the batches. */
    gradients(
      dLogits: readonly Tensor2D[],
      kept: readonly (readonly Tensor[])[],
    ): { images: Tensor4D[]; parameters: Map<string, Tensor> };
  };
  /** Frees what the pass keeps of weights; the next run computes it again. */
  release(): void;
  dispose(): void;
}

/** Compiles a pass; undefined if it cannot, then the pass is computed op by op. */
export type PassCompiler = (request: PassRequest) => CompiledPass | undefined;

const compilers = new Map<string, PassCompiler>();

/** Gives a backend a compiler, or takes it away. */
export function registerPassCompiler(backendName: string, compiler: PassCompiler | undefined): void {
  if (compiler) compilers.set(backendName, compiler);
  else compilers.delete(backendName);
}

/** The current backend's compiler, if it has one. */
export const passCompiler = (): PassCompiler | undefined => compilers.get(getBackend());
