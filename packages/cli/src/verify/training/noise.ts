import type { Random } from '@bulwark/core';
import type * as tf from '@tensorflow/tfjs-core';
import { malformed, toTensor, type Golden } from '../golden.js';

/** A generator that replays recorded draws, and how many are left. */
export interface RecordedNoise {
  readonly random: Random;
  readonly left: () => number;
}

/** Replays the recorded tensors of one step in drawing order; a draw that was not recorded is an error. */
export function recordedNoise(draws: readonly Golden[]): RecordedNoise {
  const rest = [...draws];
  const next = <S extends tf.Rank>(dist: string, shape: readonly number[]): { draw: Golden; value: tf.Tensor<S> } => {
    const draw = rest.shift();
    if (!draw) throw malformed(`the attack draws ${dist} noise that the case does not record`);
    if (draw['dist'] !== dist) throw malformed(`the attack draws ${dist} noise; recorded is ${String(draw['dist'])}`);
    const value = toTensor<tf.Tensor<S>>(draw, 'noise');
    if (value.shape.join() !== shape.join())
      throw malformed(`the attack draws noise of shape [${shape}]; recorded is [${value.shape}]`);
    return { draw, value };
  };
  const never = (): never => {
    throw malformed('the attack draws a number that the case does not record');
  };
  return {
    left: () => rest.length,
    random: {
      normal: <S extends tf.Rank>(shape: readonly number[]) => next<S>('normal', shape).value,
      uniform<S extends tf.Rank>(shape: readonly number[], low = 0, high = 1) {
        const { draw, value } = next<S>('uniform', shape);
        const [from, to] = [Number(draw['low'] ?? low), Number(draw['high'] ?? high)];
        if (Math.abs(from - low) > 1e-6 || Math.abs(to - high) > 1e-6)
          throw malformed(`the attack draws from [${low}, ${high}); recorded is [${from}, ${to})`);
        return value;
      },
      next: never,
      integer: never,
      permutation: never,
      state: () => [rest.length],
      restore: never,
    },
  };
}
