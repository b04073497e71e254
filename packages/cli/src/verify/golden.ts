import { BulwarkError } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** An array of a golden file: row-major; images NHWC, convolution kernels HWIO. */
export interface GoldenTensor {
  readonly shape: number[];
  readonly data: number[];
}

export type Golden = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Golden =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isGoldenTensor = (value: unknown): value is GoldenTensor =>
  isObject(value) && Array.isArray(value['shape']) && Array.isArray(value['data']);

/** A case that does not have its documented form. */
export const malformed = (what: string): BulwarkError => new BulwarkError('NUMERICS_MISMATCH', what);

/** The golden array as a float32 tensor. @throws BulwarkError NUMERICS_MISMATCH if it is not one */
export function toTensor<T extends tf.Tensor = tf.Tensor>(value: unknown, name: string): T {
  if (!isGoldenTensor(value)) throw malformed(`${name} is not {"shape": [...], "data": [...]}`);
  return tf.tensor(value.data, value.shape, 'float32') as T;
}

/** Numbers of a golden array or plain (nested) list. */
export function numbersOf(value: unknown, name: string): number[] {
  if (typeof value === 'number') return [value];
  if (isGoldenTensor(value)) return value.data;
  if (Array.isArray(value)) return value.flat(Infinity) as number[];
  throw malformed(`${name} is not a list of numbers`);
}

/** A field that a case must have. */
export function field(json: Golden, name: string): unknown {
  if (!(name in json)) throw malformed(`the field ${name} is missing`);
  return json[name];
}

export function objectField(json: Golden, name: string): Golden {
  const value = field(json, name);
  if (!isObject(value)) throw malformed(`the field ${name} is not an object`);
  return value;
}

/** Reads fields and remembers which, so that those that nobody understood can be reported. */
export interface FieldReader {
  take(name: string): unknown;
  left(): string[];
}

export function fieldReader(json: Golden): FieldReader {
  const taken = new Set<string>();
  return {
    take(name) {
      taken.add(name);
      return json[name];
    },
    left: () => Object.keys(json).filter((name) => !taken.has(name)),
  };
}
