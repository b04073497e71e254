import type { StoredTensor } from '@bulwark/core';
import { ForeignObject, PickledArray, TorchTensor } from '@bulwark/core/formats';

/** Everything in a file that could be a part of a network, whatever it lies in, by its path: keys joined by dots. */
export interface FlatTensors {
  readonly tensors: Map<string, StoredTensor>;
  /** Short lists of numbers, as which some scripts keep mean and standard deviation. */
  readonly numbers: Map<string, readonly number[]>;
  /** What stands in place of a tensor or container and could not be made, with a text for messages. */
  readonly foreign: Map<string, string>;
  /** Path of the dictionary (or pickled module) that each tensor lies in. */
  readonly containers: Map<string, string>;
}

/** Deeper than any checkpoint, so that nesting cannot exhaust the stack. */
const deepest = 100;
/** Where a pickled module keeps its parts: they name no level of a state dict. */
const moduleParts = ['_parameters', '_buffers', '_modules'];

const joined = (path: string, key: string) => (path === '' ? key : `${path}.${key}`);

function keyText(key: unknown): string | undefined {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'bigint') return String(key);
  return key instanceof Uint8Array ? Buffer.from(key).toString('latin1') : undefined;
}

/** A numpy array as a tensor; undefined for kinds of numbers that weights do not have. */
function ofNumpy({ dtype, shape, data }: PickledArray): StoredTensor | undefined {
  if (data instanceof Float64Array) return { dtype: 'F32', shape, data: Float32Array.from(data) };
  if (data instanceof Float32Array) return { dtype: 'F32', shape, data };
  if (data instanceof BigInt64Array) return { dtype: 'I64', shape, data };
  return dtype === 'i4' && data instanceof Int32Array ? { dtype: 'I32', shape, data } : undefined;
}

/** Walks a checkpoint of any nesting. What two names share is found under the first: the values are the same. */
export function flatten(root: unknown): FlatTensors {
  const flat: FlatTensors = { tensors: new Map(), numbers: new Map(), foreign: new Map(), containers: new Map() };
  const seen = new Set<object>();
  const keep = (tensor: StoredTensor, path: string, container: string) => {
    flat.tensors.set(path, tensor);
    flat.containers.set(path, container);
  };

  const walkForeign = (object: ForeignObject, place: Place) => {
    const { path } = place;
    flat.foreign.set(path, String(object));
    const inside = { ...place, depth: place.depth + 1 };
    // attributes in a dictionary, or in a pair with those in slots
    for (const state of Array.isArray(object.state) ? (object.state as unknown[]) : [object.state])
      if (state instanceof Map)
        for (const [key, value] of state as Map<unknown, unknown>) {
          const name = keyText(key);
          if (name === undefined) continue;
          if (moduleParts.includes(name)) walkEntries(value, inside);
          else walk(value, { path: joined(path, name), container: path, depth: inside.depth });
        }
    walk(object.entries, inside);
    walk(object.items, inside);
    for (const argument of object.args) if (typeof argument === 'object') walk(argument, inside);
  };

  /** Entries of a dictionary; a module's belong to the module around it. */
  const walkEntries = (value: unknown, { path, container, depth }: Place) => {
    if (!(value instanceof Map)) return;
    for (const [key, entry] of value as Map<unknown, unknown>) {
      const name = keyText(key);
      if (name !== undefined) walk(entry, { path: joined(path, name), container, depth: depth + 1 });
    }
  };

  const walk = (value: unknown, place: Place): void => {
    if (typeof value !== 'object' || value === null || place.depth > deepest) return;
    const { path, container, depth } = place;
    if (value instanceof TorchTensor) return keep(value, path, container);
    if (value instanceof PickledArray) {
      const tensor = ofNumpy(value);
      return tensor && keep(tensor, path, container);
    }
    if (seen.has(value)) return;
    seen.add(value);
    if (value instanceof ForeignObject) return walkForeign(value, place);
    if (value instanceof Map) return walkEntries(value, { path, container: path, depth });
    if (!Array.isArray(value)) return;
    const items = value as unknown[];
    if (items.length > 0 && items.length <= 64 && items.every((item) => typeof item === 'number'))
      flat.numbers.set(path, items);
    else items.forEach((item, i) => walk(item, { path: joined(path, String(i)), container: path, depth: depth + 1 }));
  };
  walk(root, { path: '', container: '', depth: 0 });
  return flat;
}

interface Place {
  readonly path: string;
  readonly container: string;
  readonly depth: number;
}
