import * as tf from '@tensorflow/tfjs-core';
import type { CompiledPass } from '../engine/passes.js';

/** From here on a batch in `eval` mode, whose examples do not depend on each other, passes as two. */
export const worthHalving = 16;

const halves = <T extends tf.Tensor>(whole: T): T[] => {
  const first = Math.ceil(whole.shape[0]! / 2);
  return tf.split(whole, [first, whole.shape[0]! - first]);
};

/** What `compute` makes of the halves, as one again. */
function joined<T extends tf.Tensor>(whole: tf.Tensor, compute: (parts: tf.Tensor[]) => T[]): T {
  const parts = halves(whole);
  const results = compute(parts);
  const result = tf.concat(results);
  tf.dispose([parts, results]);
  return result;
}

/** A pass of several batches as one of one batch, whose halves go side by side. */
export const inHalves = (pass: CompiledPass): CompiledPass => ({
  forward([images], value, options) {
    let kept: tf.Tensor[] = [];
    const logits = joined(images!, (parts) => {
      const found = pass.forward(parts as tf.Tensor4D[], value, options);
      kept = found.kept.flat();
      return found.logits;
    });
    return { logits: [logits], kept: [kept] };
  },
  inputGradient([dLogits], [kept]) {
    const each = [kept!.slice(0, kept!.length / 2), kept!.slice(kept!.length / 2)];
    return [joined(dLogits!, (parts) => pass.inputGradient(parts as tf.Tensor2D[], each))];
  },
  release: () => pass.release(),
  dispose: () => pass.dispose(),
});
