import * as tf from '@tensorflow/tfjs-core';
import type { CompiledPass } from './compiled-pass.js';

/** Images that are no two alike, in [0, 1]. */
function patterns(inputShape: readonly number[]): tf.Tensor4D {
  const shape = [2, ...inputShape] as [number, number, number, number];
  return tf.tidy(() => {
    const places = tf.reshape(tf.range(0, tf.util.sizeFromShape(shape)), shape);
    return tf.mul(0.5, tf.add(1, tf.sin(tf.mul(places, 0.7))));
  }) as tf.Tensor4D;
}

/** 1 for nothing but zeros. */
function cosineSimilarity(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => {
    const product = (x: tf.Tensor, y: tf.Tensor) => tf.sum(tf.mul(x, y)).dataSync()[0]!;
    const lengths = Math.sqrt(product(a, a) * product(b, b));
    return lengths === 0 ? 1 : product(a, b) / lengths;
  });
}

/**
 * Whether a pass in bfloat16 finds about what the one in float32 finds: logits to a few per cent, and a gradient of about the same
 * direction, which rounding changes more, since it decides where ReLUs open. Rounding does not make passes of trained or untrained
 * networks differ by that much; a library that computes wrong numbers does.
 */
export function matchesFloat32(
  reduced: CompiledPass,
  exact: CompiledPass,
  { inputShape, value }: { inputShape: readonly number[]; value: (name: string) => tf.Tensor },
): boolean {
  return tf.tidy(() => {
    const images = patterns(inputShape);
    const [a, b] = [reduced, exact].map((pass) => {
      const { logits, residuals } = pass.forward([images], value, { keep: true });
      const dLogits = tf.sub(logits[0]!, tf.mean(logits[0]!, 1, true)) as tf.Tensor2D;
      return { logits: logits[0]!, gradient: pass.inputGradients([dLogits], residuals)[0]! };
    });
    return cosineSimilarity(a!.logits, b!.logits) > 0.99 && cosineSimilarity(a!.gradient, b!.gradient) > 0.5;
  });
}
