import { numpyGlobals } from './numpy-pickle.js';
import { GlobalReference, readPickle, type PickleGlobal, type PickleValue } from './pickle.js';
import { decodeTensor, elementCount, fileTypeSizes, invalidWeights, type StoredTensor } from './stored-tensor.js';
import { openZip, type ZipArchive } from './zip.js';

/** A tensor found in a checkpoint. */
export class TorchTensor implements StoredTensor {
  readonly dtype;
  readonly shape;
  readonly data;

  constructor(tensor: StoredTensor) {
    this.dtype = tensor.dtype;
    this.shape = tensor.shape;
    this.data = tensor.data;
  }
}

const storageTypes: Readonly<Record<string, string>> = {
  'torch FloatStorage': 'F32',
  'torch DoubleStorage': 'F64',
  'torch HalfStorage': 'F16',
  'torch BFloat16Storage': 'BF16',
  'torch LongStorage': 'I64',
  'torch IntStorage': 'I32',
  'torch ShortStorage': 'I16',
  'torch CharStorage': 'I8',
  'torch ByteStorage': 'U8',
  'torch BoolStorage': 'BOOL',
};

/** Storages of an archive, each decoded once, however many tensors share it. */
function storageReader(zip: ZipArchive, folder: string): (id: PickleValue) => StoredTensor {
  const decoded = new Map<string, StoredTensor>();
  return (id) => {
    const [kind, type, key, , count] = (Array.isArray(id) ? id : []) as unknown[];
    const dtype = type instanceof GlobalReference ? storageTypes[type.name] : undefined;
    if (kind !== 'storage' || !dtype || typeof key !== 'string' || !Number.isSafeInteger(count))
      throw new Error('an external reference that is not a tensor storage');
    const known = decoded.get(key);
    if (known) return known;
    const content = zip.read(`${folder}data/${key}`);
    if (content.length !== (count as number) * fileTypeSizes[dtype]!)
      throw new Error(`storage ${key} has ${content.length} bytes, not ${String(count)} numbers of ${dtype}`);
    const storage = decodeTensor(dtype, [count as number], content);
    decoded.set(key, storage);
    return storage;
  };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);

/** Positions of a strided view in its storage, row-major. */
function gather(
  storage: StoredTensor,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): StoredTensor {
  const data = storage.data.slice(0, elementCount(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = storage.data[index.reduce((at, n, axis) => at + n * strides[axis]!, offset)] as never;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return { dtype: storage.dtype, shape, data };
}

/**
 * Makes tensors of `(storage, offset, shape, strides, ...)`. Contiguous ones are views; `budget` bounds the elements that all others
 * copy, because a file may name one storage many times.
 */
function tensorBuilder(budget: number): (args: readonly PickleValue[]) => TorchTensor {
  let copied = 0;
  return ([storage, offset, shape, strides]) => {
    if (!storage || !isCounts([offset]) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
      throw new Error('a tensor with a description of another form');
    const { dtype, data } = storage as StoredTensor;
    const from = offset as number;
    const count = elementCount(shape);
    const last = from + shape.reduce((at, n, axis) => at + (n - 1) * strides[axis]!, 0);
    if (count > data.length || (count > 0 && last >= data.length) || from > data.length)
      throw new Error(`a tensor [${shape.join(', ')}] that is larger than its storage of ${data.length}`);
    const contiguous = shape.every((n, axis) => n === 1 || strides[axis] === elementCount(shape.slice(axis + 1)));
    if (contiguous) return new TorchTensor({ dtype, shape, data: data.subarray(from, from + count) });
    copied += count;
    if (copied > budget) throw new Error('tensors that together are larger than their storages');
    return new TorchTensor(gather(storage as StoredTensor, from, shape, strides));
  };
}

function torchGlobals(build: (args: readonly PickleValue[]) => TorchTensor): Map<string, PickleGlobal> {
  return new Map<string, PickleGlobal>([
    ...numpyGlobals,
    ...Object.keys(storageTypes).map((name): [string, PickleGlobal] => [name, {}]),
    ['torch._utils _rebuild_tensor_v2', { call: build }],
    ['torch._utils _rebuild_parameter', { call: ([tensor]) => tensor }],
    ['torch Size', { call: ([sizes]) => sizes }],
    ['torch device', { call: ([type]) => String(type) }],
  ]);
}

/** Whether bytes look like PyTorch's zip form. */
export const isTorchZip = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && bytes[1] === 0x4b;

/** Whether bytes look like a pickle, which is what `torch.save` wrote before version 1.6. */
export const isPickle = (bytes: Uint8Array): boolean => bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5;

/**
 * Reads what `torch.save` wrote (zip form, since PyTorch 1.6): tensors, numbers, text and plain containers, as `readPickle`
 * returns them, with `TorchTensor` in place of tensors. Nothing in the file is executed; all else in it is refused.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function readTorchCheckpoint(bytes: Uint8Array, where = 'the checkpoint'): PickleValue {
  const zip = openZip(bytes);
  const pickle = zip.names.find((name) => /^[^/]*\/data\.pkl$/.test(name) || name === 'data.pkl');
  if (!pickle)
    throw invalidWeights(`${where} is a zip archive without data.pkl`, 'pass a file that torch.save has written');
  const folder = pickle.slice(0, -'data.pkl'.length);
  const order = `${folder}byteorder`;
  if (zip.names.includes(order) && Buffer.from(zip.read(order)).toString() !== 'little')
    throw invalidWeights(`${where} was written on a big-endian machine`, 'save it again on a little-endian machine');
  return readPickle(zip.read(pickle), {
    globals: torchGlobals(tensorBuilder(bytes.length)),
    persistent: storageReader(zip, folder),
    where,
  });
}
