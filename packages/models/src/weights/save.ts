import { factsOf, type Classifier, type ModelContext, type ModelFacts } from '@bulwark/core';
import { fingerprintModelSync } from '@bulwark/core/evaluation';
import { writeAtomically } from '@bulwark/core/files';
import { factsToMetadata, writeSafetensors } from '@bulwark/core/formats';
import { toStateDict } from './state-dict.js';

/** The facts that travel with a classifier's weights: its own, those of its training, and its fingerprint. */
export const exportedFacts = (classifier: Classifier, context: ModelContext = {}): ModelFacts =>
  factsOf(classifier, { fingerprint: fingerprintModelSync(classifier), ...context });

/**
 * The classifier as a safetensors file with PyTorch's names and layout, which `load_state_dict` takes as it is. The metadata say what
 * the tensors alone do not: options, normalisation, classes, threat model.
 */
export function encodeWeights(classifier: Classifier, context: ModelContext = {}): Uint8Array {
  return writeSafetensors(toStateDict(classifier), {
    format: 'pt',
    ...factsToMetadata(exportedFacts(classifier, context)),
  });
}

/** Writes `encodeWeights` to a file. */
export function saveWeights(classifier: Classifier, path: string, context: ModelContext = {}): void {
  writeAtomically(path, encodeWeights(classifier, context));
}
