import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  BulwarkError,
  factsFromMetadata,
  isPickle,
  isSafetensors,
  isTorchZip,
  readSafetensors,
  readTorchCheckpoint,
  TorchTensor,
  type ModelFacts,
  type StoredTensor,
} from '@bulwark/core';

type Tensors = ReadonlyMap<string, StoredTensor>;

/** What a weights file holds. */
export interface WeightsFile {
  /** For messages: the path. */
  readonly where: string;
  readonly tensors: Tensors;
  /** What the file says about its network; absent if another tool wrote it. */
  readonly facts?: ModelFacts;
}

const invalid = (message: string, cure: string) => new BulwarkError('WEIGHTS_INVALID', message, { cure });

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw invalid(`cannot read ${path}: ${(cause as Error).message}`, 'check the path');
  }
}

/** The tensors of a sharded file: each name must be in exactly the shard that the index names. */
function readShards(bytes: Uint8Array, path: string): Tensors {
  let index: unknown;
  try {
    index = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw invalid(`${path} is not JSON: ${(cause as Error).message.slice(0, 200)}`, 'get the file again');
  }
  const weightMap = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof weightMap !== 'object' || weightMap === null)
    throw invalid(`${path} has no weight_map`, 'pass the .safetensors.index.json of a sharded file');
  const tensors = new Map<string, StoredTensor>();
  const shards = new Map<string, Tensors>();
  for (const [name, shard] of Object.entries(weightMap)) {
    // a shard lies beside its index: anything else would let an index read other files
    if (typeof shard !== 'string' || basename(shard) !== shard || !shard.endsWith('.safetensors'))
      throw invalid(
        `${path}: shard ${JSON.stringify(shard)} of ${name} is not the name of a .safetensors file beside the index`,
        'get the index again',
      );
    if (!shards.has(shard)) shards.set(shard, readSafetensors(readBytes(join(dirname(path), shard))).tensors);
    const tensor = shards.get(shard)!.get(name);
    if (!tensor) throw invalid(`${shard} does not hold ${name}, which the index expects there`, 'get all shards again');
    tensors.set(name, tensor);
  }
  for (const [shard, held] of shards)
    for (const name of held.keys())
      if (!tensors.has(name))
        throw invalid(`${shard} holds ${name}, which the index does not name`, 'get the index again');
  return tensors;
}

/** Where training scripts put the state dict inside their checkpoints, in the order of preference. */
const wrappers = ['state_dict', 'model_state_dict', 'model', 'net', 'params', 'weights'];

/** The dictionary of tensors in a checkpoint: the checkpoint itself, or what it holds under a usual name. */
function findStateDict(value: unknown, where: string): Tensors {
  if (!(value instanceof Map))
    throw invalid(`${where} does not hold a dictionary of tensors`, 'save model.state_dict()');
  const entries = [...(value as Map<unknown, unknown>)];
  if (entries.length > 0 && entries.every(([name, held]) => typeof name === 'string' && held instanceof TorchTensor))
    return value as Map<string, StoredTensor>;
  const key = wrappers.find((name) => value.get(name) instanceof Map);
  if (key) return findStateDict(value.get(key), `${where}: ${key}`);
  const keys = entries.slice(0, 20).map(([name]) => String(name));
  throw invalid(
    `${where} holds no state dict; its keys are ${keys.join(', ') || 'none'}`,
    `save model.state_dict() itself, or under one of ${wrappers.join(', ')}`,
  );
}

function fromSafetensors(bytes: Uint8Array, where: string): WeightsFile {
  const { tensors, metadata } = readSafetensors(bytes);
  const facts = factsFromMetadata(metadata, where);
  return { where, tensors, ...(facts && { facts }) };
}

/** What a weights file of any known form holds, by content: JSON index, PyTorch zip, or safetensors. */
export function readWeightsFile(source: string | Uint8Array): WeightsFile {
  const bytes = typeof source === 'string' ? readBytes(source) : source;
  const where = typeof source === 'string' ? source : 'the checkpoint';
  if (isSafetensors(bytes)) return fromSafetensors(bytes, where);
  if (bytes[0] === 0x7b) {
    if (typeof source === 'string') return { where: source, tensors: readShards(bytes, source) };
    throw invalid('an index of shards can only be read by its path', 'pass the path of the .safetensors.index.json');
  }
  if (isTorchZip(bytes)) return { where, tensors: findStateDict(readTorchCheckpoint(bytes, where), where) };
  if (isPickle(bytes))
    throw invalid(
      `${where} is a checkpoint of PyTorch before 1.6, or a bare pickle`,
      'load it in PyTorch and save it again: torch.save(torch.load(path), path)',
    );
  return fromSafetensors(bytes, where);
}
