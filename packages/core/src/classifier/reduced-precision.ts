import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from './classifier.js';

let scope: { used: boolean } | undefined;

/**
 * Lets passes in `work` that write nothing compute in bfloat16, on engines that compile whole passes and gain by it: for attacks in
 * training, whose steps follow signs of gradients. All other passes compute in float32. `work` must not be asynchronous.
 */
export function withReducedPrecision<T>(work: () => T): T {
  const outer = scope;
  scope = { used: false };
  try {
    return work();
  } finally {
    scope = outer;
  }
}

/** Whether passes that start now may compute in bfloat16. */
export const mayReducePrecision = (): boolean => scope !== undefined;

/** Says that a pass does. */
export function precisionIsReduced(): void {
  if (scope) scope.used = true;
}

/** Whether `withReducedPrecision` makes a difference to this model on the current engine: it makes a pass of it, to see. */
export function reducesPrecision(model: Classifier): boolean {
  return withReducedPrecision(() => {
    tf.tidy(() => void model.forward(tf.zeros([1, ...model.inputShape]), 'eval'));
    return scope!.used;
  });
}
