import * as tf from '../tensor/index.js';
import { logSoftmax } from '../ops/index.js';
import { stopGradient } from './stop-gradient.js';

/**
 * The discrepancies of the Squeeze Training paper (Li et al., 2023, Figure 6), by the names used in configs.
 * @example
 * ```ts
 * discrepancyNames.includes('kl'); // => true
 * ```
 * @category Losses
 */
export const discrepancyNames = ['kl', 'symmetric-kl', 'js', 'js-reversed', 'squared-l2'] as const;
/** A discrepancy by its name in configs. */
export type DiscrepancyName = (typeof discrepancyNames)[number];

/**
 * How far apart two outputs are, per example, from their logits `[batch, classes]`: `kl(p, q)` is `KL(p || q)`. In TRADES p is the
 * natural output and q the adversarial one; papers that write KL(f(x'), f(x)) for the same thing name the arguments the other way
 * round. Returns `[batch]` float32, at least 0 up to rounding.
 */
export type Discrepancy = (p: tf.Tensor2D, q: tf.Tensor2D) => tf.Tensor1D;

/** `D(p||q) = sum_c p_c (log p_c - log q_c)` from log-probabilities: finite for every finite logit. */
function divergence(logP: tf.Tensor, logQ: tf.Tensor): tf.Tensor1D {
  return tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, logQ)), 1) as tf.Tensor1D;
}

/** `log((p + q) / 2)`; the argument is at least p/2, so nothing underflows that matters. */
function logMean(logP: tf.Tensor, logQ: tf.Tensor): tf.Tensor {
  const upper = tf.maximum(stopGradient(logP), stopGradient(logQ));
  return tf.add(upper, tf.log(tf.mul(0.5, tf.add(tf.exp(tf.sub(logP, upper)), tf.exp(tf.sub(logQ, upper))))));
}

/**
 * `KL(p || q)`, see `Discrepancy`.
 * @example
 * ```ts
 * kl(tf.tensor2d([[0, 0]]), tf.tensor2d([[0, 1]])); // => [0.120115]
 * ```
 * @category Losses
 */
export const kl: Discrepancy = (p, q) => divergence(logSoftmax(p), logSoftmax(q));

const half = (x: tf.Tensor1D): tf.Tensor1D => tf.mul(0.5, x);

const symmetricKl: Discrepancy = (p, q) => {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  return half(tf.add(divergence(logP, logQ), divergence(logQ, logP)));
};

/** The target of each KL term is a constant: what the authors' ST code computes, inside the loop and outside. */
const symmetricKlDetached: Discrepancy = (p, q) => {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  return half(tf.add(divergence(stopGradient(logP), logQ), divergence(stopGradient(logQ), logP)));
};

const js: Discrepancy = (p, q) => {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  const logM = logMean(logP, logQ);
  return half(tf.add(divergence(logP, logM), divergence(logQ, logM)));
};

const jsReversed: Discrepancy = (p, q) => {
  const [logP, logQ] = [logSoftmax(p), logSoftmax(q)];
  const logM = logMean(logP, logQ);
  return half(tf.add(divergence(logM, logP), divergence(logM, logQ)));
};

const squaredL2: Discrepancy = (p, q) =>
  tf.sum(tf.square(tf.sub(tf.exp(logSoftmax(p)), tf.exp(logSoftmax(q)))), 1) as tf.Tensor1D;

const full: Record<DiscrepancyName, Discrepancy> = {
  kl,
  'symmetric-kl': symmetricKl,
  js,
  'js-reversed': jsReversed,
  'squared-l2': squaredL2,
};

/**
 * The discrepancy of this name. With `detachTarget`, each KL term of `symmetric-kl` takes its target distribution as a
 * constant; the option has no meaning for the others, whose gradient always flows through both arguments.
 * @example
 * ```ts
 * const distance = discrepancy('squared-l2');
 * distance(tf.tensor2d([[0, 0]]), tf.tensor2d([[0, 0]])); // => [0]
 * ```
 * @category Losses
 */
export function discrepancy(name: DiscrepancyName, options: { detachTarget?: boolean } = {}): Discrepancy {
  return name === 'symmetric-kl' && options.detachTarget ? symmetricKlDetached : full[name];
}
