import * as tf from '@tensorflow/tfjs-core';
import type { Classifier, ModelFacts, StoredTensor } from '@bulwark/core';
import { checkFacts } from './facts.js';
import { fromPyTorchOrder } from './layout.js';
import { matchWeights, type MatchSource } from './match.js';
import { flatTensors, readWeightsFile, type WeightsFile } from './read.js';

/** Which network of a file is meant. */
export interface LoadOptions {
  /** Where in the file it is (`state_dict_ema`); needed only if several different ones fit. */
  readonly from?: string | undefined;
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
  assign(classifier, { where: options.where ?? 'the state dict', ...flatTensors(tensors) }, options);
}

function assign(classifier: Classifier, source: MatchSource, options: LoadOptions): void {
  for (const { entry, tensor } of matchWeights(classifier, source, options)) {
    const variable = (classifier.parameters.get(entry.name) ?? classifier.statistics.get(entry.name))!;
    const values = fromPyTorchOrder(tensor.data as Float32Array, entry.layout);
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape, 'float32')));
  }
}

/**
 * Reads weights into a classifier: safetensors (also sharded, by the index), PyTorch's `.pt` and `.pth` of any version, a checkpoint of a run.
 * Nothing in a file is ever executed. The network may lie anywhere in it, under any prefix: what fits is found. What the file says about
 * its network must agree with the classifier.
 * @param source path, content, or what `readWeightsFile` gave
 * @throws BulwarkError WEIGHTS_INVALID; the classifier is unchanged then
 */
export function loadWeights(
  classifier: Classifier,
  source: string | Uint8Array | WeightsFile,
  options: LoadOptions = {},
): LoadedWeights {
  const file = typeof source === 'string' || source instanceof Uint8Array ? readWeightsFile(source) : source;
  const { facts, where } = file;
  const notes = facts ? checkFacts(classifier, facts, where) : [];
  assign(classifier, file, options);
  return { ...(facts && { facts }), notes };
}
