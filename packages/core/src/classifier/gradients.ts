import * as tf from '../tensor/index.js';
import type { ComputeDtype } from '../network/index.js';
import type { Classifier, Mode } from './classifier.js';

/** A pass's mode: `train` is one with batch statistics, which are applied afterwards. */
const passMode = (mode: Mode) => (mode === 'train' ? 'batch' : mode);

/**
 * Logits of one batch, nothing kept for gradients.
 * @param images `[batch, h, w, c]` float32 in [0, 1]
 * @param mode default `eval`; `train` updates the running statistics
 * @returns `[batch, classes]` float32, on no gradient tape
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: blankRandom });
 * logitsOf(model, tf.ones([4, 2, 2, 1])).shape; // => [4, 3]
 * ```
 * @category Networks and passes
 */
export function logitsOf(model: Classifier, images: tf.Tensor4D, mode: Mode = 'eval'): tf.Tensor2D {
  return tf.tidy(() => {
    const pass = model.pass([images], { mode: passMode(mode), wrt: 'nothing' });
    const logits = pass.logits[0]!.clone();
    if (mode === 'train') model.applyStatistics(pass.statistics[0]!);
    pass.dispose();
    return logits;
  });
}

/** A function of logits, each `[batch, classes]`: one number per example, `[batch]`, or a scalar. */
export type LogitFunction = (...logits: tf.Tensor2D[]) => tf.Tensor;

/**
 * The gradients of a function of logits, which is all that TensorFlow.js's tape is needed for.
 * @param of summed up if it is not a scalar, so that every example gets its own gradient
 * @returns the function's value, and the gradient with respect to each of the logits; null where it does not depend on them
 * @example
 * ```ts
 * const logits = tf.tensor2d([[1, 3]]);
 * const { value, dLogits } = logitGradients([logits], (z) => tf.sum(tf.square(z)));
 * value; // => 10
 * dLogits[0]!; // => [[2, 6]]
 * ```
 * @category Networks and passes
 */
export function logitGradients(
  logits: readonly tf.Tensor2D[],
  of: LogitFunction,
): { value: tf.Tensor; dLogits: (tf.Tensor2D | null)[] } {
  let value!: tf.Tensor;
  // not tf.grads: a function that leaves some of the logits out is no mistake here
  const { value: sum, grads } = tf.engine().gradients(
    () => {
      const found = of(...logits);
      value = tf.keep(found.clone());
      return (found.rank === 0 ? found : tf.sum(found)) as tf.Scalar;
    },
    [...logits],
    undefined,
    true,
  );
  sum.dispose();
  // belongs to the caller's scope, like everything else here
  const own = value.clone();
  value.dispose();
  return { value: own, dLogits: grads.map((grad) => (grad as tf.Tensor2D | undefined) ?? null) };
}

/** What one pass to a loss and back gives; the caller disposes it. */
export interface InputGradient {
  /** Of the summed loss with respect to the points, `[batch, h, w, c]` float32. */
  readonly gradient: tf.Tensor4D;
  /** `[batch]` float32. */
  readonly losses: tf.Tensor1D;
  /** `[batch, classes]` float32. */
  readonly logits: tf.Tensor2D;
}

/**
 * The gradient of a loss with respect to the images, one forward and one backward pass.
 * @param points `[batch, h, w, c]` float32
 * @param options.loss of logits `[batch, classes]`, one number per example `[batch]`; the examples do not influence each other's
 *   gradient except through batch statistics
 * @param options.mode default `eval`; `train` updates the running statistics
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: createRandom(1) });
 * const labels = tf.tensor1d([0, 2], 'int32');
 * const { gradient } = inputGradient(model, tf.ones([2, 2, 2, 1]), {
 *   loss: (logits) => crossEntropy(logits, labels),
 * });
 * gradient.shape; // => [2, 2, 2, 1]
 * ```
 * @category Networks and passes
 */
export function inputGradient(
  model: Classifier,
  points: tf.Tensor4D,
  options: {
    readonly loss: (logits: tf.Tensor2D) => tf.Tensor1D;
    readonly mode?: Mode;
    readonly computeDtype?: ComputeDtype;
  },
): InputGradient {
  const { loss, mode = 'eval', computeDtype } = options;
  return tf.tidy(() => {
    const pass = model.pass([points], { mode: passMode(mode), wrt: 'images', computeDtype });
    const logits = pass.logits[0]!.clone();
    if (mode === 'train') model.applyStatistics(pass.statistics[0]!);
    const { value, dLogits } = logitGradients([logits], loss as LogitFunction);
    const [gradient] = pass.pullback(dLogits).images;
    pass.dispose();
    return { gradient: gradient!, losses: value as tf.Tensor1D, logits };
  });
}
