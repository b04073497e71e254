import * as tf from '../tensor/index.js';

/** One number or flag per example, `[batch, 1, 1, 1]`. */
export const column = (values: tf.Tensor): tf.Tensor4D => tf.reshape(values, [-1, 1, 1, 1]);

/**
 * `a` where the flag of an example (`[batch]` or `[batch, 1, 1, 1]`) is set, else `b`; both `[batch, h, w, c]`. Whole images are gathered: a
 * broadcast condition costs some engines twenty times as much.
 */
export function choose(flags: tf.Tensor, a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => {
    const count = b.shape[0];
    const shift = tf.mul(tf.cast(tf.reshape(flags, [-1]), 'int32'), tf.scalar(count, 'int32'));
    const places = tf.add(tf.range(0, count, 1, 'int32'), shift) as tf.Tensor1D;
    return tf.gather(tf.concat([b, a]), places);
  });
}
