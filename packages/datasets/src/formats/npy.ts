import { createBudget } from '@bulwark/core/files';
import { corrupt, needBytes } from '../corrupt.js';
import { memorySource, sourcePart, type ByteSource } from './byte-source.js';

/** Values of a numpy array. */
export type NpyValues =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** A NumPy array, row-major. */
export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: NpyValues;
  /** True for an array of booleans, whose data are 0 and 1. */
  readonly isBoolean?: boolean;
}

const types = {
  u1: Uint8Array,
  b1: Uint8Array,
  i1: Int8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
} as const;

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const longestHeader = 2 ** 20;

/** An npy file that has been looked at: what it holds, and where. */
export interface NpyFile {
  readonly shape: readonly number[];
  /** Kind and size: `u1`, `i8`, `f4`, `U3` (text), `O` (objects), ... */
  readonly type: string;
  /** Row-major, native order: its bytes can be used as they are. */
  readonly isPlain: boolean;
  /** The values' bytes. */
  readonly content: ByteSource;
  /** All values, row-major. @throws BulwarkError DATA_CORRUPT if they are no numbers */
  read(): NpyArray;
  /** All values of an array of text. */
  readText(): string[];
}

interface Header {
  readonly order: string;
  readonly type: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly start: number;
}

/** The header is the text of a Python dictionary with exactly these three keys; nothing of it is evaluated. */
function readHeader(source: ByteSource): Header {
  const { file } = source;
  const bytes = source.read(0, Math.min(source.size, 12));
  needBytes(bytes, { from: 0, count: 10 }, { file });
  if (magic.some((byte, i) => bytes[i] !== byte)) throw corrupt({ file, offset: 0 }, 'not an npy file');
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw corrupt({ file, offset: 6 }, `npy version ${version}; expected 1, 2 or 3`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = version > 1;
  needBytes(bytes, { from: 8, count: wide ? 4 : 2 }, { file });
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const from = wide ? 12 : 10;
  if (length > longestHeader) throw corrupt({ file, offset: 8 }, `a header of ${length} bytes`);
  const text = new TextDecoder('latin1').decode(source.read(from, length));
  const descr = /'descr'\s*:\s*'([<>|=])(\w+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const dims = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (!descr || !order || !dims)
    throw corrupt(
      { file, offset: from },
      `the header does not describe an array of numbers: ${text.trim().slice(0, 120)}`,
    );
  const shape = (dims[1]!.match(/\d+/g) ?? []).map(Number);
  return { order: descr[1]!, type: descr[2]!, fortran: order[1] === 'True', shape, start: from + length };
}

/** Numbers in the other byte order, turned round in place. */
function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at + size <= bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** Values in column-major order as row-major. */
function rowMajor<T extends NpyValues>(values: T, shape: readonly number[]): T {
  const result = values.slice() as T;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((size, n) => size * n, 1));
  const index = shape.map(() => 0);
  for (let i = 0, from = 0; i < values.length; i++) {
    result[i] = values[from] as never;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bytes of one value, by kind and size: numbers, text of 4 bytes a letter, bytes. */
function sizeOf(type: string): number | undefined {
  if (Object.hasOwn(types, type)) return types[type as keyof typeof types].BYTES_PER_ELEMENT;
  if (type === 'f2') return 2;
  // text of no letters would let a few bytes hold any number of values
  const [, kind, length] = /^([US])([1-9]\d{0,5})$/.exec(type) ?? [];
  return kind === undefined ? undefined : Number(length) * (kind === 'U' ? 4 : 1);
}

/** Looks at an npy file (versions 1 to 3); values are read when they are asked for. */
export function openNpy(source: ByteSource): NpyFile {
  const { file } = source;
  const { order, type, fortran, shape, start } = readHeader(source);
  const count = shape.reduce((product, n) => product * n, 1);
  const size = sizeOf(type);
  // a product beyond 2^53 is not exact, and 0 times infinity is no number
  if (!Number.isSafeInteger(shape.reduce((product, n) => product * Math.max(1, n), 1)))
    throw corrupt({ file, offset: 10 }, `an array of shape [${shape}], which no computer holds`);
  const length = size === undefined ? source.size - start : count * size;
  if (!Number.isSafeInteger(length)) throw corrupt({ file, offset: 10 }, `an array of shape [${shape}]`);
  const content = sourcePart(source, { from: start, count: length });
  if (source.size > start + length)
    throw corrupt(
      { file, offset: start + length },
      `${source.size - start - length} bytes follow the array [${shape}]`,
    );
  const swapped = order === '>' && size !== undefined && size > 1;
  const columns = fortran && shape.filter((n) => n > 1).length > 1;

  const read = (): NpyArray => {
    if (!Object.hasOwn(types, type) && type !== 'f2')
      throw corrupt({ file, offset: 10 }, `element type ${type}; known: f2, ${Object.keys(types).join(', ')}`, {
        hint: 'save it as numbers; arrays of objects would hold a pickle, and are not read',
      });
    const budget = createBudget({ bytes: source.size, refuse: (why) => corrupt({ file }, why) });
    budget.allocate(columns ? 2 * length : length, `the array [${shape}]`);
    const bytes = content.read(0, length);
    const own = swapped || (bytes.byteOffset % size! !== 0 && size! > 1) ? Uint8Array.from(bytes) : bytes;
    if (swapped) swap(own, size!);
    const View = type === 'f2' ? Uint16Array : types[type as keyof typeof types];
    const raw = new View(own.buffer as ArrayBuffer, own.byteOffset, count) as NpyValues;
    const values = type === 'f2' ? Float32Array.from(raw as Uint16Array, halfToFloat) : raw;
    return {
      shape,
      data: columns ? rowMajor(values, shape) : values,
      ...(type === 'b1' && { isBoolean: true }),
    };
  };

  const readText = (): string[] => {
    const [, kind] = /^([US])\d+$/.exec(type) ?? [];
    if (kind === undefined) throw corrupt({ file, offset: 10 }, `element type ${type} is no text`);
    const bytes = Uint8Array.from(content.read(0, length));
    if (swapped && kind === 'U') swap(bytes, 4);
    const codes = kind === 'U' ? new Uint32Array(bytes.buffer) : bytes;
    const each = kind === 'U' ? size! / 4 : size!;
    return Array.from({ length: count }, (_, i) =>
      String.fromCodePoint(
        ...Array.from(codes.subarray(i * each, (i + 1) * each), Number).filter((code) => code > 0 && code <= 0x10ffff),
      ),
    );
  };

  return { shape, type, isPlain: !swapped && !columns, content, read, readText };
}

/** An array from elsewhere as if it were looked at in an npy file. */
export function npyOf(array: NpyArray, file: string): NpyFile {
  const { data, shape } = array;
  const type = Object.entries(types).find(([, View]) => data instanceof View)![0];
  return {
    shape,
    type,
    isPlain: true,
    content: memorySource(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), file),
    read: () => array,
    readText: () => {
      throw corrupt({ file }, `element type ${type} is no text`);
    },
  };
}

/** Reads an npy file (versions 1 to 3) of numbers, whatever their order. Arrays of objects are refused: they would hold a pickle. */
export const readNpy = (bytes: Uint8Array, file: string): NpyArray => openNpy(memorySource(bytes, file)).read();

/** An npy file of version 1. */
export function writeNpy(array: NpyArray): Uint8Array {
  const { shape, data } = array;
  const type = (Object.keys(types) as (keyof typeof types)[]).find((key) => data instanceof types[key])!;
  const order = data.BYTES_PER_ELEMENT === 1 ? '|' : '<';
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${order}${type}', 'fortran_order': False, 'shape': (${dims}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length + data.byteLength).fill(0x20, 0, length);
  bytes.set(magic);
  bytes.set([1, 0, (length - 10) & 255, (length - 10) >> 8], 6);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[length - 1] = 0x0a;
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), length);
  return bytes;
}
