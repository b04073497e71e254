import type { Random } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { malformed, toTensor, type Golden } from '../golden.js';

/** A generator that replays recorded draws, and how many are left. */
export interface RecordedNoise {
  readonly random: Random;
  readonly left: () => number;
}

/**
 * Replays the recorded draws of one step in drawing order; a draw that was not recorded is an error.
 * @param numbers single numbers: integers that stand for themselves, or uniform ones
 */
export function recordedNoise(draws: readonly Golden[], numbers: readonly number[] = []): RecordedNoise {
  const rest = [...draws];
  const left = [...numbers];
  const next = <S extends tf.Rank>(dist: string, shape: readonly number[]): { draw: Golden; value: tf.Tensor<S> } => {
    const draw = rest.shift();
    if (!draw) throw malformed(`the attack draws ${dist} noise that the case does not record`);
    const recorded = String(draw['dist']);
    if (recorded !== dist && !(recorded === 'uniform01' && dist === 'uniform'))
      throw malformed(`the attack draws ${dist} noise; recorded is ${recorded}`);
    const value = toTensor<tf.Tensor<S>>(draw, 'noise');
    if (value.shape.join() !== shape.join())
      throw malformed(`the attack draws noise of shape [${shape}]; recorded is [${value.shape}]`);
    return { draw, value };
  };
  const never = (): never => {
    throw malformed('the attack draws a number that the case does not record');
  };
  const number = () => left.shift() ?? never();
  return {
    left: () => rest.length + left.length,
    random: {
      normal: <S extends tf.Rank>(shape: readonly number[]) => next<S>('normal', shape).value,
      uniform<S extends tf.Rank>(shape: readonly number[], low = 0, high = 1) {
        const { draw, value } = next<S>('uniform', shape);
        // drawn from [0, 1) and put to scale by the method
        if (draw['dist'] === 'uniform01') return tf.tidy(() => tf.add(low, tf.mul(value, high - low)) as tf.Tensor<S>);
        const scale = Number(draw['scale'] ?? 1);
        const [from, to] = [scale * Number(draw['low'] ?? low / scale), scale * Number(draw['high'] ?? high / scale)];
        if (Math.abs(from - low) > 1e-6 || Math.abs(to - high) > 1e-6)
          throw malformed(`the attack draws from [${low}, ${high}); recorded is [${from}, ${to})`);
        return scale === 1 ? value : tf.tidy(() => tf.mul(value, scale));
      },
      next: number,
      integer: number,
      permutation: never,
      state: () => [rest.length],
      restore: never,
    },
  };
}
