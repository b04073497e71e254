import { BulwarkError } from '../errors.js';

/** Element types that a file may hold once it has been read; half and double floats become `F32` on the way in. */
export const storedTypes = {
  F32: Float32Array,
  F64: Float64Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** Type of the values of a stored tensor. */
export type StoredType = keyof typeof storedTypes;

/** Values of a stored tensor, row-major. */
export type StoredValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor as files hold it: row-major values on the JavaScript side, whatever engine runs. */
export interface StoredTensor {
  readonly dtype: StoredType;
  /** `[]` for a scalar. */
  readonly shape: readonly number[];
  readonly data: StoredValues;
}

export const elementCount = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

/** One IEEE half as a number. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 is the upper half of a float32. */
function fromBfloat(words: Uint16Array): Float32Array {
  const bits = Uint32Array.from(words, (word) => word * 65536);
  return new Float32Array(bits.buffer);
}

/** Bytes per element of every type that a file may name. */
export const fileTypeSizes: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.entries(storedTypes).map(([name, { BYTES_PER_ELEMENT }]) => [name, BYTES_PER_ELEMENT])),
  F16: 2,
  BF16: 2,
};

/**
 * Little-endian bytes as a tensor, copied. `F16`, `BF16` and `F64` become float32, because that is what engines compute in.
 * @param dtype a key of `fileTypeSizes`; `bytes` has exactly the size that dtype and shape need
 */
export function decodeTensor(dtype: string, shape: readonly number[], bytes: Uint8Array): StoredTensor {
  const { buffer } = Uint8Array.from(bytes);
  if (dtype === 'F16') return { dtype: 'F32', shape, data: Float32Array.from(new Uint16Array(buffer), fromHalf) };
  if (dtype === 'BF16') return { dtype: 'F32', shape, data: fromBfloat(new Uint16Array(buffer)) };
  if (dtype === 'F64') return { dtype: 'F32', shape, data: Float32Array.from(new Float64Array(buffer)) };
  return { dtype: dtype as StoredType, shape, data: new storedTypes[dtype as StoredType](buffer) };
}

/** What a damaged or malicious weights file gets. */
export function invalidWeights(message: string, hint = 'get the file again, or write it again'): BulwarkError {
  return new BulwarkError('WEIGHTS_INVALID', message, { hint });
}
