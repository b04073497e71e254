import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../classifier/index.js';

/** How many passes went through a classifier. */
export interface PassCounts {
  forward: number;
  /** Backward passes through the classifier, to points or to parameters. */
  backward: number;
}

/** A classifier that counts its passes; otherwise the same. */
export function countingClassifier(model: Classifier): { model: Classifier; counts: PassCounts } {
  const counts: PassCounts = { forward: 0, backward: 0 };
  const counted = (logits: tf.Tensor2D): tf.Tensor2D => {
    counts.forward++;
    const passing = tf.customGrad((z) => ({
      value: tf.clone(z as tf.Tensor),
      gradFunc: (dy: tf.Tensor) => {
        counts.backward++;
        return dy.clone();
      },
    }));
    return passing(logits) as tf.Tensor2D;
  };
  return {
    counts,
    model: {
      ...model,
      forward: (images, mode) => tf.tidy(() => counted(model.forward(images, mode))),
      forwardCapturing(images) {
        const { logits, statistics } = model.forwardCapturing(images);
        return { logits: counted(logits), statistics };
      },
    },
  };
}
