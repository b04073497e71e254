import type { Classifier, Network, StoredTensor } from '@bulwark/core';
import { stateDictEntries, toPyTorchOrder, type Entry } from './layout.js';

const isNetwork = (classifier: Classifier): classifier is Network => 'graph' in classifier;

/**
 * What a weights file of this classifier holds. Networks have PyTorch's state dict; a classifier of another form (a layers
 * model) has its own names and layouts, because there is no PyTorch module to agree with.
 * @param layout `bulwark`: our own memory layout for networks, too, as checkpoints of runs have it
 */
export function weightEntries(classifier: Classifier, layout: 'pytorch' | 'bulwark' = 'pytorch'): Entry[] {
  if (layout === 'pytorch' && isNetwork(classifier)) return stateDictEntries(classifier.graph);
  return [...classifier.parameters, ...classifier.statistics].map(([name, { shape }]) => ({
    name,
    layout: { shape },
    kind: 'variable',
  }));
}

/** Weights and running statistics with PyTorch's names, shapes, order and memory layout. */
export function toStateDict(classifier: Classifier): Map<string, StoredTensor> {
  const stored = weightEntries(classifier).map(({ name, layout, kind }): [string, StoredTensor] => {
    if (kind === 'counter') return [name, { dtype: 'I64', shape: [], data: BigInt64Array.of(0n) }];
    const variable = (classifier.parameters.get(name) ?? classifier.statistics.get(name))!;
    const data = toPyTorchOrder(variable.dataSync() as Float32Array, layout);
    return [name, { dtype: 'F32', shape: layout.shape, data }];
  });
  return new Map(stored);
}
