import * as tf from '@tensorflow/tfjs-core';

const identityWithoutGradient = tf.customGrad((x) => ({
  value: tf.clone(x as tf.Tensor),
  gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
}));

/** The value of `x` (any shape, float32), a constant to differentiation. TensorFlow.js has no `stopGradient`. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  return identityWithoutGradient(x) as T;
}
