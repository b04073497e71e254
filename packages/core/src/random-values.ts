import type { WordStream } from './random.js';

// globals are slow to look up inside jest's contexts, and these are used once per random number
const { sqrt, log, cos, PI } = Math;

/** Arrays of random numbers, made of a stream's words. */
export interface RandomValues {
  /** @returns numbers in [low, high), of one word each */
  uniform(size: number, low: number, high: number): Float32Array;
  /** @returns standard normal numbers, of two words each (Box and Muller) */
  normal(size: number): Float32Array;
}

const wordsAtOnce = 4096;

/** Numbers of a stream, in blocks: a call per number would take longer than the number. */
export function valuesOf(stream: WordStream): RandomValues {
  const scratch = new Uint32Array(wordsAtOnce);
  const words = (count: number) => {
    const found = scratch.subarray(0, count);
    if (stream.fill) stream.fill(found);
    else for (let i = 0; i < count; i++) found[i] = stream.word();
    return found;
  };
  const filled = (size: number, perValue: number, put: (values: Float32Array, words: Uint32Array) => void) => {
    const values = new Float32Array(size);
    const atOnce = wordsAtOnce / perValue;
    for (let from = 0; from < size; from += atOnce) {
      const part = values.subarray(from, from + atOnce);
      put(part, words(perValue * part.length));
    }
    return values;
  };
  return {
    uniform: (size, low, high) =>
      filled(size, 1, (values, drawn) => {
        for (let i = 0; i < values.length; i++) values[i] = low + (high - low) * ((drawn[i]! >>> 8) / 16777216);
      }),
    normal: (size) =>
      filled(size, 2, (values, drawn) => {
        for (let i = 0; i < values.length; i++) {
          const [one, two] = [(drawn[2 * i]! >>> 8) / 16777216, (drawn[2 * i + 1]! >>> 8) / 16777216];
          values[i] = sqrt(-2 * log(1 - one)) * cos(2 * PI * two);
        }
      }),
  };
}
