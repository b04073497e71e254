import { numpyGlobals } from './numpy-pickle.js';
import type { PickleGlobal } from './pickle-objects.js';
import { GlobalReference } from './pickle-objects.js';
import { decodeTensor, elementCount, type StoredTensor, type StoredValues } from './stored-tensor.js';

/** A tensor found in a checkpoint. Its values are decoded when they are asked for: optimizer state never is. */
export class TorchTensor implements StoredTensor {
  #values: StoredValues | undefined;

  constructor(
    readonly dtype: StoredTensor['dtype'],
    readonly shape: readonly number[],
    /** Reads the values; called once at most. */
    readonly decode: () => StoredValues,
  ) {}

  get data(): StoredValues {
    return (this.#values ??= this.decode());
  }
}

/** Memory that tensors of a checkpoint are views of. */
export class TorchStorage {
  #decoded: StoredTensor | undefined;

  /** @param read `count` numbers of `fileType`, little-endian */
  constructor(
    readonly fileType: string,
    readonly count: number,
    readonly read: () => Uint8Array,
  ) {}

  /** The type of its values once they are decoded. */
  get dtype(): StoredTensor['dtype'] {
    return ['F16', 'BF16', 'F64'].includes(this.fileType) ? 'F32' : (this.fileType as StoredTensor['dtype']);
  }

  get values(): StoredValues {
    this.#decoded ??= decodeTensor(this.fileType, [this.count], this.read());
    return this.#decoded.data;
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

/** The element type that a storage class stands for; undefined for those that are not read (complex numbers, ...). */
export const storageType = (type: unknown): string | undefined =>
  type instanceof GlobalReference ? storageTypes[type.name] : undefined;

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);

/** A strided view of a storage, row-major. */
function gather(
  values: StoredValues,
  view: { from: number; shape: readonly number[]; strides: readonly number[] },
): StoredValues {
  const { from, shape, strides } = view;
  const data = values.slice(0, elementCount(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = values[index.reduce((at, n, axis) => at + n * strides[axis]!, from)] as never;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return data;
}

/**
 * Makes tensors of `(storage, offset, shape, strides, ...)`. Contiguous ones are views; `budget` bounds the elements that all others
 * copy, because a file may name one storage many times.
 */
function tensorBuilder(budget: number): (args: readonly unknown[]) => TorchTensor {
  let copied = 0;
  return ([storage, from, shape, strides]) => {
    if (!(storage instanceof TorchStorage)) throw new Error('a tensor of a kind of number that is not read');
    if (!isCounts([from]) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
      throw new Error('a tensor with a description of another form');
    const offset = from as number;
    const count = elementCount(shape);
    const last = offset + shape.reduce((at, n, axis) => at + (n - 1) * strides[axis]!, 0);
    if (
      !Number.isSafeInteger(count) ||
      count > storage.count ||
      (count > 0 && last >= storage.count) ||
      offset > storage.count
    )
      throw new Error(`a tensor [${shape.join(', ')}] that is larger than its storage of ${storage.count}`);
    const contiguous = shape.every((n, axis) => n === 1 || strides[axis] === elementCount(shape.slice(axis + 1)));
    if (contiguous) return new TorchTensor(storage.dtype, shape, () => storage.values.subarray(offset, offset + count));
    copied += count;
    if (copied > budget) throw new Error('tensors that together are larger than their storages');
    return new TorchTensor(storage.dtype, shape, () => gather(storage.values, { from: offset, shape, strides }));
  };
}

/** The names that PyTorch's checkpoints use for tensors, of all versions, as pure data. */
export function torchGlobals(budget: number): Map<string, PickleGlobal> {
  const call = tensorBuilder(budget);
  const first: PickleGlobal = { call: ([tensor]) => tensor };
  return new Map<string, PickleGlobal>([
    ...numpyGlobals,
    ...Object.keys(storageTypes).map((name): [string, PickleGlobal] => [name, {}]),
    ['torch._utils _rebuild_tensor_v2', { call }],
    ['torch._utils _rebuild_tensor', { call }],
    ['torch._utils _rebuild_parameter', first],
    ['torch._utils _rebuild_parameter_with_state', first],
    [
      'torch._tensor _rebuild_from_type_v2',
      {
        call: ([make, , args], budget) => {
          if (!(make instanceof GlobalReference) || !make.global.call || !Array.isArray(args))
            throw new Error('a tensor of a class of its own');
          return make.global.call(args as unknown[], budget);
        },
      },
    ],
    ['torch Size', { call: ([sizes]) => sizes }],
    ['torch device', { call: ([type]) => (typeof type === 'string' ? type : 'device') }],
  ]);
}
