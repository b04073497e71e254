import { crossEntropy, margin, type Batch, type Discrepancy } from '@bulwark/core';
import type * as tf from '@tensorflow/tfjs-core';

/** Logits `[batch, classes]` of points `[batch, h, w, c]` in the attack's mode. */
export type LogitsOf = (points: tf.Tensor4D) => tf.Tensor2D;

/**
 * What an attack climbs or descends. Called once per attack, it prepares whatever stays fixed while the attack runs, and gives
 * the value per example `[batch]` of a point's logits `[batch, classes]`.
 */
export type Goal = (batch: Batch, logitsOf: LogitsOf) => (logits: tf.Tensor2D) => tf.Tensor1D;

/** Cross-entropy with the label; 0, and so no movement, where there is no label. */
export const onCrossEntropy: Goal = (batch) => (logits) => crossEntropy(logits, batch.targets ?? batch.labels);

/** The discrepancy to the natural output, whose logits are computed once: the weights stand still during the attack. */
export const onDiscrepancyToNatural =
  (discrepancy: Discrepancy): Goal =>
  (batch, logitsOf) => {
    const natural = logitsOf(batch.images);
    return (logits) => discrepancy(logits, natural);
  };

/** The margin of Carlini and Wagner, `max_{j != y} z_j - z_y`. */
export const onMargin: Goal = (batch) => (logits) => margin(logits, batch.labels);
