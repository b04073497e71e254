import type { Tensor } from '@tensorflow/tfjs-core';
import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import { BulwarkError, type OnnxContext, type OnnxGraph, type OnnxValue } from '@bulwark/core';

/** A graph that takes tensors as constants. */
export interface TensorGraph extends OnnxGraph, Pick<OnnxContext, 'tensor'> {}

/** What is read of a layer of TensorFlow.js. */
export interface StockLayer {
  readonly name: string;
  readonly inboundNodes: readonly { readonly inputTensors: readonly SymbolicTensor[] }[];
  /** Of a model within the model. */
  readonly layers?: readonly StockLayer[];
  readonly inputs?: readonly SymbolicTensor[];
  readonly outputs?: readonly SymbolicTensor[];
  getClassName(): string;
  getConfig(): Record<string, unknown>;
  getWeights(): Tensor[];
}

/** A layer's place in the model that is being written. */
export interface LayerUse {
  readonly layer: StockLayer;
  readonly inputs: readonly OnnxValue[];
  /** Without the batch, channels last. */
  readonly shapes: readonly (readonly number[])[];
  readonly graph: TensorGraph;
}

/** The error for a layer that ONNX files of ours cannot have. */
export const notInOnnx = ({ name }: StockLayer, what: string): BulwarkError =>
  new BulwarkError('MODEL_INVALID', `layer ${name}: ${what}`, { hint: 'export the model --to tfjs' });
