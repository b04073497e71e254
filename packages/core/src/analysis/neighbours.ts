import * as tf from '../tensor/index.js';
import { gradientLoop } from '../attacks/index.js';
import type { Batch } from '../batch.js';
import { logitsOf, type Classifier } from '../classifier/index.js';
import { crossEntropy } from '../loss/index.js';
import type { ThreatModel } from '../threat/index.js';

/** How a neighbour is looked for: `steps` gradient steps of this length, from the image itself. */
export interface Search {
  readonly model: Classifier;
  readonly threat: ThreatModel;
  readonly steps: number;
  /** Length of one step in the threat model's norm. */
  readonly stepSize: number;
}

/** Uphill or downhill. */
export type Side = 'adversarial' | 'collaborative';

/**
 * The point of the ball with a high (adversarial) or low (collaborative: Li et al., 2023, section 3.1; arXiv:2205.11156) cross-entropy,
 * by gradient steps up or down from the image, the model in `eval` mode.
 * @param onPoint sees the point before each step (`step` from 0) and the last one
 * @returns `[batch, h, w, c]` float32 in [0, 1], inside the ball
 */
export function neighbour(
  batch: Batch,
  side: Side,
  { model, threat, steps, stepSize }: Search,
  onPoint?: (point: tf.Tensor4D, step: number) => void,
): tf.Tensor4D {
  return tf.tidy(() =>
    gradientLoop({
      origin: batch.images,
      start: batch.images,
      steps,
      stepSize: side === 'collaborative' ? -stepSize : stepSize,
      threat,
      model,
      loss: (logits) => crossEntropy(logits, batch.labels),
      onPoint,
    }),
  );
}

/** Cross-entropy per example, `[batch]` float32, of points `[batch, h, w, c]`, the model in `eval` mode. */
export const lossAt = (model: Classifier, points: tf.Tensor4D, labels: tf.Tensor1D): tf.Tensor1D =>
  tf.tidy(() => crossEntropy(logitsOf(model, points), labels));
