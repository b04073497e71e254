import * as tf from '../../tensor/index.js';
import { oneHotLabels } from '../../loss/index.js';
import { norms } from '../../threat/index.js';
import { choose, column } from '../choose.js';
import type { FabRun } from './run.js';

/** The linearised boundary that is attacked next, per example: `z_k - z_y` and its gradient. */
export interface Boundary {
  /** `[n, 1, 1, 1]`. */
  readonly value: tf.Tensor4D;
  /** `[n, h, w, c]`. */
  readonly gradient: tf.Tensor4D;
}

/**
 * A boundary nearer than float32 tells two logits apart: it is taken to be this far away. A point on it, where the logits are equal, would else
 * stay there for ever: no way to go, and not yet misclassified.
 */
const indistinct = 2e-6;

const distinct = (value: tf.Tensor): tf.Tensor4D =>
  column(tf.where(tf.less(tf.abs(value), indistinct), tf.fill(value.shape, -indistinct), value));

/** Linearises at the points, in one pass: towards the targets, or towards the class whose boundary is nearest in the dual norm. */
export function nearestBoundary({ labels, targets, context }: FabRun, points: tf.Tensor4D): Boundary {
  const { model, threat } = context;
  const dual = norms[threat.norm.dual];
  return tf.tidy(() => {
    const pass = model.pass([points], { mode: 'eval', wrt: 'images' });
    const logits = pass.logits[0]!;
    const own = oneHotLabels(labels, model.classes);
    const towards = (classes: tf.Tensor1D, keep: boolean): Boundary => {
      const weights = tf.sub(oneHotLabels(classes, model.classes), own) as tf.Tensor2D;
      const value = tf.sum(tf.mul(logits, weights), 1);
      const [gradient] = pass.pullback([weights], { keep }).images;
      return { value: column(value), gradient: gradient! };
    };
    if (targets) {
      const { value, gradient } = towards(targets, false);
      pass.dispose();
      return { value: distinct(value), gradient };
    }
    let nearest: (Boundary & { distance: tf.Tensor4D }) | undefined;
    for (let k = 0; k < model.classes; k++) {
      const before = nearest;
      nearest = tf.tidy(() => {
        const classes = tf.fill(labels.shape, k, 'int32') as tf.Tensor1D;
        const { value, gradient } = towards(classes, k < model.classes - 1);
        const apart = tf.div(tf.abs(value), tf.add(column(dual.measure(gradient)), 1e-12));
        const distance = tf.where(column(tf.equal(labels, k)), tf.fill(value.shape, Infinity), apart) as tf.Tensor4D;
        if (!before) return { value, gradient, distance };
        const nearer = tf.less(distance, before.distance);
        return {
          value: tf.where(nearer, value, before.value),
          gradient: choose(nearer, gradient, before.gradient),
          distance: tf.where(nearer, distance, before.distance),
        };
      });
    }
    pass.dispose();
    return { value: distinct(nearest!.value), gradient: nearest!.gradient };
  });
}
