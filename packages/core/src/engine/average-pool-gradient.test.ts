import { describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from './select.js';

/** Average pooling is linear: the gradient at a pixel is what pooling makes of an image that is 1 there and 0 elsewhere. */
function gradientByPooling(
  pool: (x: tf.Tensor4D) => tf.Tensor4D,
  shape: [number, number, number, number],
  dy: tf.Tensor,
) {
  const size = tf.util.sizeFromShape(shape);
  return Array.from({ length: size }, (_, at) => {
    const unit = tf.reshape(tf.oneHot(tf.tensor1d([at], 'int32'), size), shape) as tf.Tensor4D;
    return tf.sum(tf.mul(pool(tf.cast(unit, 'float32')), dy)).dataSync()[0]!;
  });
}

describe.each(['cpu', 'wasm'])('the gradient of average pooling on %s', (engine) => {
  it.each([
    ['without padding', 2, 2, 'valid'],
    ['with padding on one side', 2, 2, 'same'],
    ['with padding all round', 3, 1, 'same'],
    ['with windows that overlap', 3, 2, 'same'],
    ['with numeric padding', 3, 2, 1],
  ] as const)('is that of what it computes, %s', async (_, size, stride, pad) => {
    await useEngine(engine);
    tf.tidy(() => {
      const pool = (x: tf.Tensor4D) => tf.avgPool(x, size, stride, pad, pad === 1 ? 'floor' : undefined);
      const x = tf.reshape(tf.range(0, 35), [1, 5, 7, 1]) as tf.Tensor4D;
      const y = pool(x);
      const dy = tf.reshape(tf.add(tf.range(0, y.size), 1), y.shape);
      const found = tf
        .grad((v) => pool(v as tf.Tensor4D))(x, dy)
        .dataSync();
      gradientByPooling(pool, [1, 5, 7, 1], dy).forEach((value, at) => expect(found[at]).toBeCloseTo(value, 4));
    });
  });
});
