import { basename, dirname, join } from 'node:path';
import { BulwarkError, type InputNormalisation, type ModelFacts, type StoredTensor } from '@bulwark/core';
import { readRegularFile, textOf } from '@bulwark/core/files';
import {
  factsFromMetadata,
  isPickle,
  isSafetensors,
  isTorchZip,
  readSafetensors,
  readTorchCheckpoint,
} from '@bulwark/core/formats';
import { decodeCheckpoint } from '@bulwark/core/run';
import { strangerOf } from './forms.js';
import type { MatchSource } from './match.js';
import { onlyNormalisation } from './normalisation.js';
import { flatten, type FlatTensors } from './tree.js';

/** What a weights file holds. */
export interface WeightsFile extends MatchSource {
  /** What the file says about its network; absent if another tool wrote it. */
  readonly facts?: ModelFacts;
  /** Mean and standard deviation that a wrapper keeps beside the network, if the file has exactly one pair. */
  readonly normalize?: InputNormalisation;
}

const invalid = (message: string, hint: string) => new BulwarkError('WEIGHTS_INVALID', message, { hint });

function readBytes(path: string): Uint8Array {
  try {
    return readRegularFile(path);
  } catch (cause) {
    throw invalid(`cannot read ${path}: ${(cause as Error).message}`, 'check the path');
  }
}

/** Tensors that lie side by side, without any nesting. */
export const flatTensors = (tensors: ReadonlyMap<string, StoredTensor>): FlatTensors => ({
  tensors: new Map(tensors),
  numbers: new Map(),
  foreign: new Map(),
  containers: new Map([...tensors.keys()].map((name) => [name, ''])),
});

/** A safetensors file, which may be a checkpoint of a run of ours: its weights lie among the state of the training. */
function fromSafetensors(bytes: Uint8Array, where: string): WeightsFile {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata['bulwark'] === 'checkpoint') return fromRun(bytes, where);
  const facts = factsFromMetadata(metadata, where);
  return { where, ...flatTensors(tensors), ...(facts && { facts }) };
}

/** The weights that evaluating the run would take: the averaged ones if it averages. */
function fromRun(bytes: Uint8Array, where: string): WeightsFile {
  const { tensors, facts } = decodeCheckpoint(bytes, where);
  const average = [...tensors.keys()].some((name) => name.startsWith('average/')) ? 'average/' : '';
  const weights = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of tensors)
    for (const group of ['model/', 'statistics/'])
      if (name.startsWith(average + group))
        weights.set(name.slice(average.length + group.length), { dtype: 'F32', shape, data });
  return { where, layout: 'bulwark', ...flatTensors(weights), ...(facts && { facts }) };
}

/** The tensors of a sharded file: each name must be in exactly the shard that the index names. */
function fromShards(index: object, path: string): WeightsFile {
  const { weight_map: weightMap } = index as { weight_map: object };
  const tensors = new Map<string, StoredTensor>();
  const shards = new Map<string, WeightsFile>();
  for (const [name, shard] of Object.entries(weightMap)) {
    // a shard lies beside its index: anything else would let an index read other files
    if (typeof shard !== 'string' || basename(shard) !== shard || !shard.endsWith('.safetensors'))
      throw invalid(
        `${path}: shard ${JSON.stringify(shard)} of ${name} is not the name of a .safetensors file beside the index`,
        'get the index again',
      );
    if (!shards.has(shard)) shards.set(shard, fromSafetensors(readBytes(join(dirname(path), shard)), shard));
    const tensor = shards.get(shard)!.tensors.get(name);
    if (!tensor) throw invalid(`${shard} does not hold ${name}, which the index expects there`, 'get all shards again');
    tensors.set(name, tensor);
  }
  for (const [shard, held] of shards)
    for (const name of held.tensors.keys())
      if (!tensors.has(name))
        throw invalid(`${shard} holds ${name}, which the index does not name`, 'get the index again');
  const facts = [...shards.values()].find((shard) => shard.facts)?.facts;
  return { where: path, ...flatTensors(tensors), ...(facts && { facts }) };
}

/** JSON that is passed as weights: an index of shards, or the description of a model. */
function fromJson(bytes: Uint8Array, where: string, path: string | undefined): WeightsFile {
  let json: unknown;
  try {
    json = JSON.parse(textOf(bytes));
  } catch (cause) {
    throw invalid(`${where} is not JSON: ${(cause as Error).message.slice(0, 200)}`, 'get the file again');
  }
  const { weight_map: weightMap, modelTopology } = (json ?? {}) as Record<string, unknown>;
  if (modelTopology !== undefined)
    throw invalid(`${where} is the model.json of TensorFlow.js`, `use model: { use: layers-model, path: ${where} }`);
  if (typeof weightMap !== 'object' || weightMap === null)
    throw invalid(`${where} has no weight_map`, 'pass the .safetensors.index.json of a sharded file');
  if (path === undefined)
    throw invalid('an index of shards can only be read by its path', 'pass the path of the .safetensors.index.json');
  return fromShards(json as object, path);
}

/**
 * What a weights file holds, whatever it lies in: safetensors and its index of shards, `torch.save` of any version, a checkpoint of a run. The
 * structure decides, not the name. Nothing in the file is executed.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function readWeightsFile(source: string | Uint8Array): WeightsFile {
  try {
    return read(source);
  } catch (error) {
    // readers of bytes do not know whose they are
    if (!(error instanceof BulwarkError) || typeof source !== 'string' || error.message.includes(basename(source)))
      throw error;
    const { code, message, hint } = error;
    throw new BulwarkError(code, `${source}: ${message}`, { ...(hint !== undefined && { hint }), cause: error });
  }
}

function read(source: string | Uint8Array): WeightsFile {
  const bytes = typeof source === 'string' ? readBytes(source) : source;
  const where = typeof source === 'string' ? source : 'the weights file';
  if (isSafetensors(bytes)) return withNormalisation(fromSafetensors(bytes, where));
  if (isTorchZip(bytes) || isPickle(bytes))
    return withNormalisation({ where, ...flatten(readTorchCheckpoint(bytes, where)) });
  const text = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  if (text[0] === 0x7b) return fromJson(text, where, typeof source === 'string' ? source : undefined);
  const stranger = strangerOf(bytes);
  if (stranger) throw invalid(`${where} is ${stranger.is}`, stranger.hint);
  return fromSafetensors(bytes, where);
}

function withNormalisation(file: WeightsFile): WeightsFile {
  const normalize = file.facts ? undefined : onlyNormalisation(file);
  return normalize ? { ...file, normalize } : file;
}
