import { attackStep, crossEntropy, inputGradient, linf, logitsOf } from '@bulwark/core/browser';
import * as tf from '@bulwark/core/tfjs';

/** One projected step in the maximum norm: uphill makes the label less likely, downhill more. */
export const step = (model, { image, point, label, epsilon, stepSize, uphill }) =>
  tf.tidy(() => {
    const labels = tf.tensor1d([label], 'int32');
    const { gradient } = inputGradient(model, point, { loss: (logits) => crossEntropy(logits, labels) });
    const threat = { norm: linf, epsilon };
    return attackStep(point, gradient, { origin: image, threat, stepSize: uphill ? stepSize : -stepSize });
  });

/** Class probabilities of one image. */
export const probabilities = (model, point) => tf.tidy(() => [...tf.softmax(logitsOf(model, point)).dataSync()]);
