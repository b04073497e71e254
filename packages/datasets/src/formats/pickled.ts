import { corrupt } from '../corrupt.js';
import type { NpyArray } from './npy.js';

/** A pickled dictionary: arrays, numbers, lists of numbers, text. */
export type PickledDict = ReadonlyMap<string, unknown>;

export function readPickledDict(_bytes: Uint8Array, file: string): PickledDict {
  throw corrupt({ file }, 'pickles cannot be read yet');
}

/** The array under this key. */
export function arrayIn(dict: PickledDict, key: string, file: string): NpyArray {
  const value = dict.get(key) as NpyArray | undefined;
  if (value?.shape && value.data) return value;
  throw corrupt({ file }, `has no array ${key}; it has ${[...dict.keys()].join(', ')}`);
}

/** The list of numbers under this key. */
export function numbersIn(dict: PickledDict, key: string, file: string): readonly number[] {
  const value = dict.get(key);
  if (Array.isArray(value) && value.every((item) => typeof item === 'number')) return value as number[];
  throw corrupt({ file }, `has no list of numbers ${key}; it has ${[...dict.keys()].join(', ')}`);
}

/** An array, or a list of numbers as one. */
export function arrayOrNumbersIn(dict: PickledDict, key: string, file: string): NpyArray {
  if (!Array.isArray(dict.get(key))) return arrayIn(dict, key, file);
  const values = numbersIn(dict, key, file);
  return { shape: [values.length], data: Float64Array.from(values) };
}
