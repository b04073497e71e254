import type { Budget } from '../files/index.js';
import type { PickleGlobal } from './pickle-objects.js';
import type { PickleValue } from './pickle.js';
import { fromHalf } from './stored-tensor.js';

const arrayTypes = {
  u1: Uint8Array,
  i1: Int8Array,
  b1: Uint8Array,
  u2: Uint16Array,
  i2: Int16Array,
  u4: Uint32Array,
  i4: Int32Array,
  u8: BigUint64Array,
  i8: BigInt64Array,
  f4: Float32Array,
  f8: Float64Array,
} as const;

type ArrayValues = InstanceType<(typeof arrayTypes)[keyof typeof arrayTypes]>;

/** A numpy dtype: kind and size, `f4`, `u1`, ... */
export class PickledDtype {
  bigEndian = false;
  constructor(readonly name: string) {}
}

/** A numpy array as data, row-major. `data` shares memory with the file where its alignment allows. */
export class PickledArray {
  dtype = 'u1';
  shape: readonly number[] = [0];
  data: ArrayValues = new Uint8Array(0);
}

/** Bytes of numbers, copied only where they have to be. */
function typedArray(
  { name, bigEndian }: PickledDtype,
  from: { content: PickleValue; count: number; budget: Budget },
): ArrayValues {
  const { content, count, budget } = from;
  const bytes = bytesOf(content, budget);
  const half = name === 'f2';
  const type = half
    ? Uint16Array
    : Object.hasOwn(arrayTypes, name)
      ? arrayTypes[name as keyof typeof arrayTypes]
      : undefined;
  if (!type) throw new Error(`a numpy array of ${name}; allowed are f2, ${Object.keys(arrayTypes).join(', ')}`);
  const size = type.BYTES_PER_ELEMENT;
  if (bytes.length !== count * size) throw new Error(`${bytes.length} bytes are not ${count} numbers of ${name}`);
  const swaps = bigEndian && size > 1;
  budget.allocate((half ? 4 * count : 0) + (swaps || bytes.byteOffset % size !== 0 ? bytes.length : 0), 'its arrays');
  const own = swaps || bytes.byteOffset % size !== 0 ? Uint8Array.from(bytes) : bytes;
  if (swaps) swapBytes(own, size);
  const values = new type(own.buffer as ArrayBuffer, own.byteOffset, count);
  return half ? Float32Array.from(values as Uint16Array, fromHalf) : values;
}

/** Big-endian numbers of `size` bytes to little-endian ones, in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  for (let at = 0; at + size <= bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** Column-major numbers in row-major order. */
function rowMajor(values: ArrayValues, shape: readonly number[], budget: Budget): ArrayValues {
  budget.allocate(values.byteLength, 'its arrays');
  budget.work(values.length * shape.length, 'reordering its arrays');
  const result = values.slice() as ArrayValues;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((size, n) => size * n, 1));
  const index = shape.map(() => 0);
  for (let i = 0; i < values.length; i++) {
    result[i] = values[index.reduce((at, n, axis) => at + n * strides[axis]!, 0)] as never;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return result;
}

function latin1(text: string, budget: Budget): Uint8Array {
  budget.allocate(2 * text.length, 'its bytes');
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** Python 2 writes bytes as text; each character is one byte. */
function bytesOf(value: PickleValue, budget: Budget): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return latin1(value, budget);
  throw new Error('a numpy array without its bytes');
}

const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 32 && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);

/** State `(version, shape, dtype, is_fortran, bytes)`. */
function buildArray(value: PickleValue, state: PickleValue, budget: Budget): PickledArray {
  const [, shape, dtype, fortran, content] = (Array.isArray(state) ? state : []) as unknown[];
  if (!(value instanceof PickledArray) || !isShape(shape) || !(dtype instanceof PickledDtype))
    throw new Error('a numpy array with a state of another form');
  return fill(value, { dtype, shape, content, fortran: fortran === true || fortran === 1, budget });
}

function fill(
  array: PickledArray,
  from: { dtype: PickledDtype; shape: readonly number[]; content: PickleValue; fortran: boolean; budget: Budget },
): PickledArray {
  const { dtype, shape, content, fortran, budget } = from;
  const count = shape.reduce((size, n) => size * n, 1);
  const values = typedArray(dtype, { content, count, budget });
  array.dtype = dtype.name === 'f2' ? 'f4' : dtype.name;
  array.shape = shape;
  array.data = fortran ? rowMajor(values, shape, budget) : values;
  return array;
}

/** Protocol 5: `_frombuffer(bytes, dtype, shape, 'C' or 'F')`. */
function fromBuffer([content, dtype, shape, order]: readonly unknown[], budget: Budget): PickledArray {
  if (!(dtype instanceof PickledDtype) || !isShape(shape) || (order !== 'C' && order !== 'F'))
    throw new Error('a numpy array of another form');
  return fill(new PickledArray(), { dtype, shape, content, fortran: order === 'F', budget });
}

/** State `(version, byte order, ...)`. */
function buildDtype(value: PickleValue, state: PickleValue): PickleValue {
  if (value instanceof PickledDtype) value.bigEndian = Array.isArray(state) && (state as unknown[])[1] === '>';
  return value;
}

function scalar([dtype, content]: readonly unknown[], budget: Budget): number | bigint {
  if (!(dtype instanceof PickledDtype)) throw new Error('a numpy number without its type');
  return typedArray(dtype, { content, count: 1, budget })[0]!;
}

const reconstruct: PickleGlobal = { call: () => new PickledArray(), build: buildArray };
const number: PickleGlobal = { call: scalar };

/** The names that pickled numpy arrays and numbers use, of numpy 1 and 2, as pure data. */
export const numpyGlobals: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ['numpy.core.multiarray _reconstruct', reconstruct],
  ['numpy._core.multiarray _reconstruct', reconstruct],
  ['numpy.core.multiarray scalar', number],
  ['numpy._core.multiarray scalar', number],
  ['numpy.core.numeric _frombuffer', { call: fromBuffer }],
  ['numpy._core.numeric _frombuffer', { call: fromBuffer }],
  ['numpy ndarray', {}],
  [
    'numpy dtype',
    {
      call: ([name]) => {
        // never as text whatever it is: lists of lists of one list have exponentially much
        if (typeof name !== 'string') throw new Error('a type of numbers without a name');
        return new PickledDtype(name);
      },
      build: buildDtype,
    },
  ],
  [
    '_codecs encode',
    {
      call: ([text, codec], budget) => {
        if (typeof text !== 'string' || codec !== 'latin1') throw new Error('encoded text that is not latin1');
        return latin1(text, budget);
      },
    },
  ],
]);
