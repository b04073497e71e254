import { inflateSync } from 'node:zlib';
import { BulwarkError, type Budget } from '@bulwark/core';
import { createBudget } from '@bulwark/core/files';
import { corrupt, needBytes } from '../corrupt.js';
import { plainBytes } from './files.js';

/** A numeric array of a MATLAB file: column-major, the first index fastest. */
export interface MatArray {
  readonly shape: readonly number[];
  readonly data:
    Uint8Array | Int8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;
}

const miCompressed = 15;
const miMatrix = 14;
/** Storage types by number: element size and view. */
const storage: Readonly<Record<number, { size: number; view: (buffer: ArrayBuffer) => MatArray['data'] }>> = {
  1: { size: 1, view: (buffer) => new Int8Array(buffer) },
  2: { size: 1, view: (buffer) => new Uint8Array(buffer) },
  3: { size: 2, view: (buffer) => new Int16Array(buffer) },
  4: { size: 2, view: (buffer) => new Uint16Array(buffer) },
  5: { size: 4, view: (buffer) => new Int32Array(buffer) },
  6: { size: 4, view: (buffer) => new Uint32Array(buffer) },
  7: { size: 4, view: (buffer) => new Float32Array(buffer) },
  9: { size: 8, view: (buffer) => new Float64Array(buffer) },
};
/** Array classes that hold plain numbers: double, single, the integers up to 32 bits. */
const numericClasses = new Set([6, 7, 8, 9, 10, 11, 12, 13]);

/** An aligned buffer of its own, which wider numbers need. */
const copyOf = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

interface Element {
  readonly type: number;
  /** Of the first data byte, for messages. */
  readonly offset: number;
  readonly data: Uint8Array;
  /** Where the next element starts. */
  readonly next: number;
}

/** One tagged element: the usual 8-byte tag, or the small form with up to 4 data bytes in the tag itself. */
function readElement(bytes: Uint8Array, at: number, file: string): Element {
  needBytes(bytes, { from: at, count: 8 }, { file });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = view.getUint32(at, true);
  if (word >>> 16) {
    const size = word >>> 16;
    if (size > 4) throw corrupt({ file, offset: at }, `a small element of ${size} bytes; at most 4 are allowed`);
    return { type: word & 0xffff, offset: at + 4, data: bytes.subarray(at + 4, at + 4 + size), next: at + 8 };
  }
  const size = view.getUint32(at + 4, true);
  needBytes(bytes, { from: at + 8, count: size }, { file });
  const padding = word === miCompressed ? 0 : (8 - (size % 8)) % 8;
  return { type: word, offset: at + 8, data: bytes.subarray(at + 8, at + 8 + size), next: at + 8 + size + padding };
}

/** The array of an element, if it is one of numbers that somebody wants: others are not copied. */
function readMatrix(
  bytes: Uint8Array,
  options: { file: string; wanted: (name: string) => boolean },
): { name: string; array: MatArray } | undefined {
  const { file, wanted } = options;
  const flags = readElement(bytes, 0, file);
  if (flags.data.length < 8) throw corrupt({ file, offset: flags.offset }, 'the array flags are too short');
  const dimensions = readElement(bytes, flags.next, file);
  const label = readElement(bytes, dimensions.next, file);
  const name = new TextDecoder('latin1').decode(label.data);
  if (!numericClasses.has(flags.data[0]!) || !wanted(name)) return undefined;
  const shape = [...new Int32Array(copyOf(dimensions.data.subarray(0, dimensions.data.length & ~3)))];
  const values = readElement(bytes, label.next, file);
  const kind = storage[values.type];
  if (!kind)
    throw corrupt({ file, offset: values.offset }, `array ${name}: storage type ${values.type} is not a number type`);
  const size = shape.reduce((product, n) => product * n, 1);
  if (shape.some((n) => n < 0) || values.data.length !== size * kind.size)
    throw corrupt(
      { file, offset: values.offset },
      `array ${name}: ${values.data.length} bytes for shape [${shape}] of ${kind.size}-byte numbers`,
    );
  // bytes need no copy; wider numbers get an aligned one
  const data = kind.size === 1 && values.type === 2 ? plainBytes(values.data) : kind.view(copyOf(values.data));
  return { name, array: { shape, data } };
}

/**
 * The numeric arrays of a MATLAB file of level 5 (little-endian, elements plain or zlib-compressed), as SVHN's format 2 is published.
 * Cells, structs and text are passed over. A level 7.3 file is HDF5 and refused by name. All arrays of `names` must be there.
 */
export function readMat5<Name extends string>(
  bytes: Uint8Array,
  options: { file: string; names: readonly Name[] },
): Record<Name, MatArray> {
  const { file, names } = options;
  needBytes(bytes, { from: 0, count: 128 }, { file });
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 116));
  if (text.startsWith('MATLAB 7.3')) throw corrupt({ file, offset: 0 }, 'a MATLAB 7.3 file (HDF5); expected level 5');
  const [low, high, ...endian] = bytes.subarray(124, 128);
  if (String.fromCharCode(...endian) !== 'IM')
    throw corrupt({ file, offset: 126 }, 'not a little-endian MATLAB level 5 file');
  if (low !== 0 || high !== 1)
    throw corrupt({ file, offset: 124 }, `MATLAB file version ${high}.${low}; expected 1.0 (level 5)`);
  const budget = createBudget({ bytes: bytes.length, refuse: (why) => corrupt({ file }, why) });
  const wanted = (name: string) => (names as readonly string[]).includes(name);
  const arrays = new Map<string, MatArray>();
  for (let at = 128; at < bytes.length;) {
    let element = readElement(bytes, at, file);
    const next = element.next;
    let place = file;
    if (element.type === miCompressed) {
      place = `${file} (element at byte ${at}, decompressed)`;
      element = readElement(inflate(element, { file, budget }), 0, place);
    }
    if (element.type === miMatrix) {
      const matrix = readMatrix(element.data, { file: place, wanted });
      if (matrix) arrays.set(matrix.name, matrix.array);
    }
    at = next;
  }
  const missing = names.find((name) => !arrays.has(name));
  if (missing !== undefined) throw corrupt({ file, offset: bytes.length }, `the file has no array ${missing}`);
  return Object.fromEntries(names.map((name) => [name, arrays.get(name)!])) as Record<Name, MatArray>;
}

/** What is passed over has to be unpacked, too, to know what it is; it is charged all the same. */
function inflate(element: Element, { file, budget }: { file: string; budget: Budget }): Uint8Array {
  try {
    const bytes = plainBytes(inflateSync(element.data, { maxOutputLength: Math.max(1, budget.bytesLeft) }));
    budget.allocate(bytes.length, 'its elements');
    return bytes;
  } catch (cause) {
    if (cause instanceof BulwarkError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      budget.allocate(Infinity, 'a compressed element');
    throw corrupt({ file, offset: element.offset }, `a compressed element is damaged: ${(cause as Error).message}`, {
      cause,
    });
  }
}
