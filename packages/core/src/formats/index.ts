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
export { readPickle, type PickleGlobal, type PickleOptions, type PickleValue } from './pickle.js';
export * as protobuf from './protobuf.js';
export { isSafetensors, readSafetensors, writeSafetensors, type Safetensors } from './safetensors.js';
export type { StoredTensor, StoredType, StoredValues } from './stored-tensor.js';
export { isPickle, isTorchZip, readTorchCheckpoint, TorchTensor } from './torch-checkpoint.js';
