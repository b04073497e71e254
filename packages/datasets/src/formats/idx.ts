import { corrupt, needBytes } from '../corrupt.js';
import { plainBytes } from './files.js';

/** An array of unsigned bytes as LeCun's idx format holds it. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const unsignedByte = 0x08;

/**
 * Reads an idx file of unsigned bytes (already decompressed): two zero bytes, the type code, the rank, one big-endian uint32 for each
 * dimension, then the data. The length must be exactly what the header promises.
 */
export function readIdx(bytes: Uint8Array, options: { file: string; rank: number }): IdxArray {
  const { file, rank } = options;
  needBytes(bytes, { from: 0, count: 4 + 4 * rank }, { file });
  if (bytes[0] !== 0 || bytes[1] !== 0)
    throw corrupt({ file, offset: 0 }, 'not an idx file: it must start with two zero bytes');
  if (bytes[2] !== unsignedByte)
    throw corrupt({ file, offset: 2 }, `element type 0x${bytes[2]!.toString(16)}; expected 0x8 (unsigned bytes)`);
  if (bytes[3] !== rank) throw corrupt({ file, offset: 3 }, `the array has ${bytes[3]} dimensions; expected ${rank}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const start = 4 + 4 * rank;
  const size = shape.reduce((product, n) => product * n, 1);
  needBytes(bytes, { from: start, count: size }, { file });
  if (bytes.length > start + size)
    throw corrupt({ file, offset: start + size }, `${bytes.length - start - size} bytes follow the array [${shape}]`);
  return { shape, data: plainBytes(bytes.subarray(start)) };
}

/** The idx file of these bytes. */
export function writeIdx(array: IdxArray): Uint8Array {
  const start = 4 + 4 * array.shape.length;
  const bytes = new Uint8Array(start + array.data.length);
  bytes[2] = unsignedByte;
  bytes[3] = array.shape.length;
  const view = new DataView(bytes.buffer);
  array.shape.forEach((n, i) => view.setUint32(4 + 4 * i, n));
  bytes.set(array.data, start);
  return bytes;
}
