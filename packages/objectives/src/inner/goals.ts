import { crossEntropy, margin, oneHotLabels, type Batch, type Discrepancy } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** Logits `[batch, classes]` of points `[batch, h, w, c]` in the attack's mode. */
export type LogitsAt = (points: tf.Tensor4D) => tf.Tensor2D;

/**
 * What an attack climbs or descends. Called once per attack, it prepares whatever stays fixed while the attack runs, and gives
 * the value per example `[batch]` of a point's logits `[batch, classes]`.
 */
export type Goal = (batch: Batch, logitsAt: LogitsAt, classes: number) => (logits: tf.Tensor2D) => tf.Tensor1D;

/** Cross-entropy with the label; 0, and so no movement, where there is no label. */
export const onCrossEntropy: Goal = (batch, _logitsAt, classes) => {
  const targets = batch.targets ?? oneHotLabels(batch.labels, classes);
  return (logits) => crossEntropy(logits, targets);
};

/** The discrepancy from a target of the batch, such as a teacher's output, whose logits `[batch, classes]` are given. */
export const onDiscrepancyToTarget =
  (discrepancy: Discrepancy, target: tf.Tensor2D): Goal =>
  () =>
  (logits) =>
    discrepancy(target, logits);

/** The discrepancy to the natural output, whose logits are computed once: the weights stand still during the attack. */
export const onDiscrepancyToNatural =
  (discrepancy: Discrepancy): Goal =>
  (batch, logitsAt) => {
    const natural = logitsAt(batch.images);
    return (logits) => discrepancy(natural, logits);
  };

/** The authors' confidence of GAIR-RST: beyond it an example is left alone. */
const confidence = 50;

/** The margin of Carlini and Wagner as GAIR-RST climbs it: `-max(z_y - max_{j != y} z_j + 50, 0)`. */
export const onClampedMargin: Goal = (batch) => (logits) =>
  tf.neg(tf.relu(tf.sub(confidence, margin(logits, batch.labels)))) as tf.Tensor1D;
