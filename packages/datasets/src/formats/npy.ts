import { corrupt, needBytes } from '../corrupt.js';

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

interface Header {
  readonly type: keyof typeof types;
  readonly shape: readonly number[];
  readonly start: number;
}

/** The header is the text of a Python dictionary with exactly these three keys; nothing of it is evaluated. */
function readHeader(bytes: Uint8Array, file: string): Header {
  needBytes(bytes, { from: 0, count: 10 }, { file });
  if (magic.some((byte, i) => bytes[i] !== byte)) throw corrupt({ file, offset: 0 }, 'not an npy file');
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw corrupt({ file, offset: 6 }, `npy version ${version}; expected 1, 2 or 3`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = version > 1;
  needBytes(bytes, { from: 8, count: wide ? 4 : 2 }, { file });
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const from = wide ? 12 : 10;
  needBytes(bytes, { from, count: length }, { file });
  const text = new TextDecoder('latin1').decode(bytes.subarray(from, from + length));
  const descr = /'descr'\s*:\s*'([<>|=])(\w+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const dims = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (!descr || !order || !dims)
    throw corrupt(
      { file, offset: from },
      `the header does not describe an array of numbers: ${text.trim().slice(0, 120)}`,
    );
  const type = descr[2]!;
  if (!(type in types))
    throw corrupt({ file, offset: from }, `element type ${type}; known: ${Object.keys(types).join(', ')}`);
  if (descr[1] === '>' && !type.endsWith('1'))
    throw corrupt({ file, offset: from }, 'big-endian numbers; save it little-endian');
  if (order[1] === 'True') throw corrupt({ file, offset: from }, 'Fortran order; save it with np.ascontiguousarray');
  const shape = (dims[1]!.match(/\d+/g) ?? []).map(Number);
  return { type: type as keyof typeof types, shape, start: from + length };
}

/** Reads an npy file (versions 1 to 3) of numbers in C order, little-endian. Arrays of objects are refused: they would hold a pickle. */
export function readNpy(bytes: Uint8Array, file: string): NpyArray {
  const { type, shape, start } = readHeader(bytes, file);
  const View = types[type];
  const size = shape.reduce((product, n) => product * n, 1);
  const count = size * View.BYTES_PER_ELEMENT;
  needBytes(bytes, { from: start, count }, { file });
  if (bytes.length > start + count)
    throw corrupt({ file, offset: start + count }, `${bytes.length - start - count} bytes follow the array [${shape}]`);
  if (View.BYTES_PER_ELEMENT === 1)
    return { shape, data: new View(bytes.buffer as never, bytes.byteOffset + start, size) };
  return { shape, data: new View(new Uint8Array(bytes.subarray(start, start + count)).buffer as never) };
}

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
