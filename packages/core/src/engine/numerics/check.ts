import * as tf from '../../tensor/index.js';

/** One computation that every engine makes, and the difference that its values may have from plain JavaScript's. */
export interface Check {
  readonly within: number;
  /** Kernels without which it is left out, besides those that every engine has. */
  readonly needs?: readonly string[];
  readonly compute: () => tf.Tensor[];
}

/** Small integers, so that products and convolutions are exact in float32 and every right engine agrees to the bit. */
export function integers(shape: readonly number[], seed: number): tf.Tensor {
  let state = seed;
  const values = Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return ((state >>> 16) % 7) - 3;
  });
  return tf.tensor(values, [...shape]);
}
