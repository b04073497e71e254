import * as tf from '../tensor/index.js';
import { logitsOf, type Classifier } from '../classifier/index.js';

/** Predicted classes `[batch]` int32 in `eval` mode; at exact ties the lowest index. */
export function predict(model: Classifier, images: tf.Tensor4D): tf.Tensor1D {
  return tf.tidy(() => tf.argMax(logitsOf(model, images), 1) as tf.Tensor1D);
}

/** Where the prediction is wrong, `[batch]` bool. */
export function misclassified(model: Classifier, images: tf.Tensor4D, labels: tf.Tensor1D): tf.Tensor1D {
  return tf.tidy(() => tf.notEqual(predict(model, images), labels) as tf.Tensor1D);
}
