import { readPickleAt, type PickleOptions, type PickleValue } from './pickle.js';
import { ForeignObject } from './pickle-objects.js';
import { fileTypeSizes, invalidWeights } from './stored-tensor.js';
import { storageType, torchGlobals, TorchStorage } from './torch-tensor.js';

/** The number that the form before PyTorch 1.6 begins with. */
const magic = 0x1950a86a20f9469cfc6cn;

interface Declared {
  readonly key: string;
  readonly dtype: string;
  readonly count: number;
}

/** A storage's persistent id: `('storage', class, key, place, count, view)`; a view is a part of the storage of this key. */
function declared(id: unknown): (Declared & { view?: readonly [offset: number, count: number] }) | undefined {
  const [kind, type, key, , count, view] = (Array.isArray(id) ? id : []) as unknown[];
  const dtype = storageType(type);
  if (kind !== 'storage' || !dtype || typeof key !== 'string' || !Number.isSafeInteger(count)) return undefined;
  const [, offset, part] = (Array.isArray(view) ? view : []) as unknown[];
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(part)) return { key, dtype, count: count as number };
  return { key, dtype, count: count as number, view: [offset as number, part as number] };
}

/** Where each storage's bytes are: after the object come the keys, then for each key its count and its numbers. */
function locate(
  bytes: Uint8Array,
  at: number,
  known: ReadonlyMap<string, Declared>,
  keys: unknown,
): Map<string, Uint8Array> {
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) throw new Error('no list of storages');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places = new Map<string, Uint8Array>();
  for (const key of keys as string[]) {
    const storage = known.get(key);
    // what this storage's numbers are is not known, so neither is where the next one begins
    if (!storage) throw new Error(`storage ${key} of a kind that is not read`);
    if (at + 8 > bytes.length) throw new Error(`the file ends before storage ${key}`);
    const count = Number(view.getBigInt64(at, true));
    const size = count * fileTypeSizes[storage.dtype]!;
    if (count < storage.count || at + 8 + size > bytes.length) throw new Error(`storage ${key} is cut off`);
    places.set(key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return places;
}

/**
 * Reads PyTorch's form before 1.6: five pickles (magic number, version, machine, object, keys of storages), then the storages.
 * The object is read twice, because its storages come after it.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function readLegacyCheckpoint(bytes: Uint8Array, where: string): PickleValue {
  const plain: PickleOptions = { where };
  const first = readPickleAt(bytes, 0, plain);
  if (first.value !== magic)
    throw invalidWeights(
      `${where} is a pickle that torch.save did not write`,
      'save the weights with torch.save(model.state_dict(), path)',
    );
  const protocol = readPickleAt(bytes, first.end, plain);
  const machine = readPickleAt(bytes, protocol.end, plain);
  if (machine.value instanceof Map && machine.value.get('little_endian') === false)
    throw invalidWeights(`${where} was written on a big-endian machine`, 'save it again on a little-endian machine');

  const known = new Map<string, Declared>();
  const survey = readPickleAt(bytes, machine.end, {
    where,
    persistent(id) {
      const storage = declared(id);
      if (storage) known.set(storage.key, storage);
      return null;
    },
  });
  const keys = readPickleAt(bytes, survey.end, plain);
  let places: Map<string, Uint8Array>;
  try {
    places = locate(bytes, keys.end, known, keys.value);
  } catch (error) {
    throw invalidWeights(`${where} cannot be read: ${(error as Error).message}`);
  }

  const made = new Map<string, TorchStorage>();
  const whole = ({ key, dtype, count }: Declared): TorchStorage => {
    const found =
      made.get(key) ??
      new TorchStorage(dtype, count, () => places.get(key)!.subarray(0, count * fileTypeSizes[dtype]!));
    made.set(key, found);
    return found;
  };
  return readPickleAt(bytes, machine.end, {
    where,
    globals: torchGlobals(bytes.length),
    persistent(id) {
      // a pickled module carries its source along: ('module', class, file, source)
      if (Array.isArray(id) && id[0] === 'module') return id[1];
      const storage = declared(id);
      if (!storage || !places.has(storage.key)) return new ForeignObject('storage');
      if (!storage.view) return whole(storage);
      const [offset, count] = storage.view;
      const size = fileTypeSizes[storage.dtype]!;
      if (offset < 0 || count < 0 || offset + count > storage.count)
        throw new Error(`a view beyond storage ${storage.key}`);
      return new TorchStorage(storage.dtype, count, () =>
        places.get(storage.key)!.subarray(offset * size, (offset + count) * size),
      );
    },
  }).value;
}
