import * as tf from '@tensorflow/tfjs-core';
import { type Classifier, type ModelFacts, type StoredTensor } from '@bulwark/core';
import { checkFacts } from './facts.js';
import { fromPyTorchOrder } from './layout.js';
import { matchWeights } from './match.js';
import { readWeightsFile, type WeightsFile } from './read.js';

/** How names in a file relate to those of the network. */
export interface LoadOptions {
  /** What stands before the names of the network in the file; the default is to find out (`module.`, `model.`, ...). */
  readonly prefix?: string;
}

/** What was loaded. */
export interface LoadedWeights {
  /** What the file says about its network; absent if another tool wrote it. */
  readonly facts?: ModelFacts;
  /** What the user should know. */
  readonly notes: readonly string[];
}

/**
 * Replaces all weights and running statistics of a classifier by those of tensors in PyTorch's layout. Either everything fits
 * and is loaded, or nothing changes.
 * @throws BulwarkError WEIGHTS_INVALID, listing missing, extra and misshapen tensors
 */
export function loadStateDict(
  classifier: Classifier,
  tensors: ReadonlyMap<string, StoredTensor>,
  options: LoadOptions & { where?: string } = {},
): void {
  const matches = matchWeights(classifier, tensors, {
    prefix: options.prefix,
    where: options.where ?? 'the state dict',
  });
  for (const { entry, tensor } of matches) {
    const variable = (classifier.parameters.get(entry.name) ?? classifier.statistics.get(entry.name))!;
    const values = fromPyTorchOrder(tensor.data as Float32Array, entry.layout);
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape, 'float32')));
  }
}

/**
 * Reads weights into a classifier: a `.safetensors` file, the `.safetensors.index.json` of a sharded one, or PyTorch's `.pt` and
 * `.pth` (zip form; nothing in it is ever executed). The content decides, not the name. What the file says about its network must agree
 * with the classifier.
 * @param source path, content, or what `readWeightsFile` gave
 * @throws BulwarkError WEIGHTS_INVALID; the classifier is unchanged then
 */
export function loadWeights(
  classifier: Classifier,
  source: string | Uint8Array | WeightsFile,
  options: LoadOptions = {},
): LoadedWeights {
  const file = typeof source === 'string' || source instanceof Uint8Array ? readWeightsFile(source) : source;
  const { tensors, facts, where } = file;
  const notes = facts ? checkFacts(classifier, facts, where) : [];
  loadStateDict(classifier, tensors, { ...options, where });
  return { ...(facts && { facts }), notes };
}
