import * as tf from '../tensor/index.js';
import type { Classifier } from '../classifier/index.js';
import type { Gradients } from '../network/index.js';

/**
 * Runs `work` with the weights moved by `offsets`, then puts the saved copies back: adding and subtracting would not restore
 * the same bits.
 */
export function atPerturbedWeights<T>(model: Classifier, offsets: Gradients | undefined, work: () => T): T {
  if (!offsets) return work();
  const saved = new Map<string, tf.Tensor>();
  for (const [name, offset] of offsets) {
    const variable = model.parameters.get(name)!;
    saved.set(name, variable.clone());
    tf.tidy(() => variable.assign(tf.add(variable, offset)));
  }
  try {
    return work();
  } finally {
    for (const [name, copy] of saved) {
      model.parameters.get(name)!.assign(copy);
      copy.dispose();
    }
  }
}

/** Frees gradients or offsets, if there are any. */
export function disposeGradients(gradients: Gradients | undefined): void {
  gradients?.forEach((tensor) => tensor.dispose());
}
