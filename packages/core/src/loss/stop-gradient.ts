import * as tf from '../tensor/index.js';

/** Another tensor of the same values, which the tape has not seen: no way back leads through it, so none is computed. */
function offTape<T extends tf.Tensor>(x: T): T {
  const engine = tf.engine();
  engine.backend.incRef(x.dataId);
  return engine.makeTensorFromTensorInfo({ dataId: x.dataId, shape: x.shape, dtype: x.dtype }) as T;
}

/**
 * The value of `x` (any shape, float32), a constant to differentiation. TensorFlow.js has no `stopGradient`.
 * @example
 * ```ts
 * // d/dx of x * stop(x) is x, not 2 x
 * tf.grad((x) => tf.mul(x, stopGradient(x)))(tf.scalar(3)); // => 3
 * ```
 * @category Losses
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  return offTape(x);
}

/**
 * The value of `compute(inputs)`, a constant to differentiation: for comparisons and other operations that have no gradient at
 * all, whose use on the tape would be an error.
 * @example
 * ```ts
 * // which of two is larger has no gradient; the mask is a constant
 * tf.grad((x) =>
 *   tf.mul(
 *     x,
 *     withoutGradient((x) => tf.cast(tf.greater(x!, 1), 'float32'), x),
 *   ),
 * )(tf.tensor1d([0, 2])); // => [0, 1]
 * ```
 * @category Losses
 */
export function withoutGradient<T extends tf.Tensor>(
  compute: (...inputs: tf.Tensor[]) => T,
  ...inputs: readonly tf.Tensor[]
): T {
  // by shape: on the way back the inputs themselves may be gone
  const shapes = inputs.map(({ shape }) => shape);
  const constant = tf.customGrad(() => ({
    value: compute(...inputs),
    gradFunc: () => shapes.map((shape) => tf.zeros(shape)),
  }));
  const value = constant(...inputs) as T;
  const found = offTape(value);
  value.dispose();
  return found;
}
