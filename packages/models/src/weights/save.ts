import { writeFileSync } from 'node:fs';
import { writeSafetensors, type Classifier } from '@bulwark/core';
import { toStateDict } from './state-dict.js';

/** The classifier as a safetensors file with PyTorch's names and layout, which `load_state_dict` takes as it is. */
export function encodeWeights(classifier: Classifier, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  return writeSafetensors(toStateDict(classifier), { format: 'pt', ...metadata });
}

/** Writes `encodeWeights` to a file. */
export function saveWeights(
  classifier: Classifier,
  path: string,
  metadata: Readonly<Record<string, string>> = {},
): void {
  writeFileSync(path, encodeWeights(classifier, metadata));
}
