import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';

/** An attribute of a TensorFlow op, as the native binding takes it. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: string | number | boolean | readonly number[];
}

/** A tensor that the library holds for its caller, who deletes it. */
export interface OutputHandle {
  readonly id: number;
  readonly shape: number[];
}

/** The part of tfjs-node's native addon that we use. */
export interface NativeBinding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_TYPE: number;
  createTensor(shape: readonly number[], type: number, values: ArrayLike<number>): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): ArrayLike<number>;
  executeOp(
    name: string,
    attributes: readonly OpAttribute[],
    inputIds: readonly number[],
    outputs: number,
  ): OutputHandle[];
  isUsingGpuDevice(): boolean;
  /** Opens a session on a graph in a folder; `deleteSavedModel` closes it. */
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(session: number): void;
  runSavedModel(session: number, inputIds: readonly number[], inputNames: string, outputNames: string): OutputHandle[];
}

/** The part of tfjs-node's kernel backend that our kernels use. */
export interface NodeBackend {
  readonly binding: NativeBinding;
  executeSingleOutput(name: string, attributes: readonly OpAttribute[], inputs: readonly TensorInfo[]): Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly TensorInfo[],
    outputs: number,
  ): Tensor[];
  /** Handles of tensors, which stay theirs. */
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  /** A tensor that a handle becomes part of. */
  createOutputTensor(output: OutputHandle): Tensor;
}
