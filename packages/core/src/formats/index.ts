export { readSafetensors, writeSafetensors, type Safetensors } from './safetensors.js';
export type { StoredTensor, StoredType, StoredValues } from './stored-tensor.js';
