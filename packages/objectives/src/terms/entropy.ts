import { logSoftmax, type PerExample } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Mean entropy of the natural output over the examples without a label (Carmon et al., 2019, semi-supervised code;
 * arXiv:1905.13736). The mean runs over unlabelled examples only, so values are scaled up from the mean over all.
 */
export const unlabelledEntropy: PerExample = ({ z, batch }) => {
  const logP = logSoftmax(z.natural);
  const entropy = tf.neg(tf.sum(tf.mul(tf.exp(logP), logP), 1));
  const missing = tf.cast(tf.less(batch.labels, 0), 'float32');
  const scale = tf.div(batch.labels.size, tf.maximum(tf.sum(missing), 1));
  return tf.mul(tf.mul(entropy, missing), scale) as tf.Tensor1D;
};
