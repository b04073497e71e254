/**
 * File formats of models: safetensors, PyTorch's checkpoints, pickles without execution, ONNX.
 * @module @bulwark/core/formats
 */
export {
  factDifferences,
  factsFromMetadata,
  factsKey,
  factsToMetadata,
  type ArchitectureSpec,
  type FactDifference,
  type InputNormalisation,
  type ModelFacts,
} from './model-facts.js';
export { numpyGlobals, PickledArray, PickledDtype } from './numpy-pickle.js';
export { ForeignObject, type PickleGlobal } from './pickle-objects.js';
export { readPickle, type PickleOptions, type PickleValue } from './pickle.js';
export {
  encodeOnnx,
  onnxOpset,
  type OnnxAttribute,
  type OnnxDescription,
  type OnnxGraph,
  type OnnxPort,
  type OnnxValue,
} from './onnx.js';
export * as protobuf from './protobuf.js';
export { isSafetensors, readSafetensors, writeSafetensors, type Safetensors } from './safetensors.js';
export type { StoredTensor, StoredType, StoredValues } from './stored-tensor.js';
export { isPickle, isTorchZip, readTorchCheckpoint } from './torch-checkpoint.js';
export { TorchTensor } from './torch-tensor.js';
