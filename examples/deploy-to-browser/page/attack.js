/* global tf */

/** The sign of each entry; `tf.sign` is 0 for small gradients on wasm. */
const signOf = (x) => tf.sub(tf.cast(tf.greater(x, 0), 'float32'), tf.cast(tf.less(x, 0), 'float32'));

/**
 * Layers ask for the gradient of their kernels even if only that of the image is wanted, and the wasm engine has none for convolutions.
 * The weights stand still here, so zeros will do.
 */
export const skipKernelGradients = () =>
  tf.registerKernel({
    kernelName: 'Conv2DBackpropFilter',
    backendName: 'wasm',
    kernelFunc: ({ attrs }) => tf.zeros(attrs.filterShape),
  });

/** Gradient of the cross-entropy with `label` at a point `[1, 28, 28, 1]`. */
const gradientAt = (model, point, label) =>
  tf.grad((x) => {
    const logits = model.predict(x);
    const logP = tf.sub(logits, tf.logSumExp(logits, 1, true));
    return tf.neg(tf.sum(tf.mul(logP, tf.oneHot([label], logits.shape[1]))));
  })(point);

/** One projected step in the maximum norm: uphill makes the label less likely, downhill more. */
export const step = (model, { image, point, label, epsilon, stepSize, uphill }) =>
  tf.tidy(() => {
    const towards = signOf(gradientAt(model, point, label));
    const moved = tf.add(point, tf.mul(uphill ? stepSize : -stepSize, towards));
    const inBall = tf.minimum(tf.maximum(moved, tf.sub(image, epsilon)), tf.add(image, epsilon));
    return tf.clipByValue(inBall, 0, 1);
  });

/** Class probabilities of one image. */
export const probabilities = (model, point) => tf.tidy(() => [...tf.softmax(model.predict(point)).dataSync()]);
