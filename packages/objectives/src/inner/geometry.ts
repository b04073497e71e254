import type { Batch, CraftContext } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { pgdPoint, type PgdOptions } from './pgd.js';

/**
 * An attack that also counts, per example, the updates at whose start the example was still classified correctly: the
 * distance to the decision boundary in steps (kappa of Zhang et al., 2021; arXiv:2010.01736).
 * @returns point `[batch, h, w, c]`, kappa `[batch]` float32 in [0, steps]
 */
export function pgdWithKappa(
  batch: Batch,
  context: CraftContext,
  options: PgdOptions,
): { point: tf.Tensor4D; kappa: tf.Tensor1D } {
  let kappa = tf.keep(tf.zeros([batch.labels.size])) as tf.Tensor1D;
  const onLogits = (logits: tf.Tensor2D) => {
    const correct = tf.cast(tf.equal(tf.argMax(logits, 1), batch.labels), 'float32');
    const more = tf.keep(tf.add(kappa, correct)) as tf.Tensor1D;
    kappa.dispose();
    kappa = more;
  };
  const point = pgdPoint(batch, context, { ...options, onLogits });
  return { point, kappa };
}

/** Is the run still in its first part, in which re-weighting is off? `burnIn` is a share of the run's epochs. */
export const inBurnIn = (context: CraftContext, burnIn: number): boolean => context.epoch < burnIn * context.epochs;
