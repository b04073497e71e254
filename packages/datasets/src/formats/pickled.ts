import { BulwarkError } from '@bulwark/core';
import { ForeignObject, numpyGlobals, PickledArray, readPickle } from '@bulwark/core/formats';
import { corrupt } from '../corrupt.js';
import type { NpyArray } from './npy.js';

/** A pickled dictionary: arrays, numbers, lists of numbers, text. */
export type PickledDict = ReadonlyMap<string, unknown>;

/** Keys as text: Python 2 wrote `'data'`, Python 3 reads and writes it back as `b'data'`. */
function keyText(key: unknown): string {
  if (key instanceof Uint8Array) return Buffer.from(key).toString('latin1');
  // other values are no names, and their text may be exponentially long
  return typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint' ? `${key}` : `(${typeof key})`;
}

const dictionaryNeeded = 'a data pickle holds a dictionary of numpy arrays and numbers';

/** Reads a pickled dictionary of numpy arrays and numbers. Nothing in the file is executed; objects of other classes are inert. */
export function readPickledDict(bytes: Uint8Array, file: string): PickledDict {
  let value: unknown;
  try {
    value = readPickle(bytes, { globals: numpyGlobals, where: file });
  } catch (cause) {
    const { message } = cause as Error;
    throw corrupt({ file }, message.replace(`${file} `, ''), {
      cause,
      ...(cause instanceof BulwarkError && { hint: dictionaryNeeded }),
    });
  }
  if (!(value instanceof Map)) {
    const what = value instanceof ForeignObject ? `${String(value)} (nothing was executed)` : 'something else';
    throw corrupt({ file }, `the pickle holds ${what}, not a dictionary`, { hint: dictionaryNeeded });
  }
  return new Map([...value].map(([key, entry]) => [keyText(key), entry]));
}

/** The array under this key. */
export function arrayIn(dict: PickledDict, key: string, file: string): NpyArray {
  const value = dict.get(key);
  if (value instanceof PickledArray) return { shape: value.shape, data: value.data };
  const instead = value instanceof ForeignObject ? `: ${String(value)} is in its place` : '';
  throw corrupt({ file }, `has no array ${key}${instead}; it has ${[...dict.keys()].join(', ')}`);
}

/** The list of numbers under this key. */
export function numbersIn(dict: PickledDict, key: string, file: string): readonly number[] {
  const value = dict.get(key);
  if (Array.isArray(value) && value.every((item) => typeof item === 'number' || typeof item === 'bigint'))
    return value.map(Number);
  throw corrupt({ file }, `has no list of numbers ${key}; it has ${[...dict.keys()].join(', ')}`);
}

/** An array, or a list of numbers as one. */
export function arrayOrNumbersIn(dict: PickledDict, key: string, file: string): NpyArray {
  if (!Array.isArray(dict.get(key))) return arrayIn(dict, key, file);
  const values = numbersIn(dict, key, file);
  return { shape: [values.length], data: Float64Array.from(values) };
}
