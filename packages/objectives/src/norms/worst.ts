import * as tf from '@tensorflow/tfjs-core';
import type { Found } from './apgd.js';

/** Per example, which of several attacks found the highest loss; of equal ones the first. */
export function highestLoss(found: readonly Found[]): number[] {
  const [first] = found;
  return Array.from(first!.bestLoss, (_, e) =>
    found.reduce((best, { bestLoss }, at) => (bestLoss[e]! > found[best]!.bestLoss[e]! ? at : best), 0),
  );
}

/** The points of the attacks that are chosen per example. */
export const pointsAt = (found: readonly Found[], chosen: readonly number[]): tf.Tensor4D =>
  tf.tidy(() =>
    tf.addN(
      found.map(({ best }, at) => {
        const mask = tf.tensor4d(
          chosen.map(Number).map((which) => (which === at ? 1 : 0)),
          [chosen.length, 1, 1, 1],
        );
        return tf.mul(best, mask);
      }),
    ),
  ) as tf.Tensor4D;

/** What the attacks found, as findings per example: `robust-<norm>`, and `norm`, the index of the chosen one. */
export const findings = (
  names: readonly string[],
  found: readonly Found[],
  chosen?: readonly number[],
): Record<string, tf.Tensor> => ({
  ...Object.fromEntries(found.map(({ robust }, at) => [`robust-${names[at]}`, tf.tensor1d([...robust])])),
  ...(chosen && { norm: tf.tensor1d([...chosen], 'int32') }),
});
