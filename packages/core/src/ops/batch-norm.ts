import { add, div, mean as meanOf, mul, rsqrt, square, sub, sum } from '../tensor/index.js';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../tensor/index.js';
import { defineOp } from './op.js';

type Features = Tensor4D | Tensor2D;

/** All axes but the last, the channels. */
const reducedAxes = (x: Tensor): number[] => Array.from({ length: x.rank - 1 }, (_, axis) => axis);

/**
 * Gradients of `batchNormTrain` through the batch's mean and variance: with respect to x, gamma and beta, in this order.
 * `dy` and `x` are alike, the others `[channels]` float32; the variance is the biased one.
 */
export const batchNormTrainGrad = defineOp<
  { dy: Tensor; x: Tensor; gamma: Tensor; mean: Tensor; variance: Tensor },
  { epsilon: number },
  Tensor[]
>({
  name: 'BulwarkBatchNormTrainGrad',
  composed: ({ dy, x, gamma, mean, variance }, { epsilon }) => {
    const axes = reducedAxes(x);
    const count = x.size / gamma.size;
    const inverseDeviation = rsqrt(add(variance, epsilon));
    const normalized = mul(sub(x, mean), inverseDeviation);
    const dBeta = sum(dy, axes);
    const dGamma = sum(mul(dy, normalized), axes);
    const throughStatistics = div(add(dBeta, mul(normalized, dGamma)), count);
    const dx = mul(sub(dy, throughStatistics), mul(gamma, inverseDeviation));
    return [dx, dGamma, dBeta];
  },
});

/** The first of these, for who needs no others: an engine may come by it with less work. */
export const batchNormTrainInputGrad = defineOp<
  { dy: Tensor; x: Tensor; gamma: Tensor; mean: Tensor; variance: Tensor },
  { epsilon: number },
  Tensor
>({
  name: 'BulwarkBatchNormTrainInputGrad',
  composed: (inputs, attrs) => batchNormTrainGrad(inputs, attrs)[0]!,
});

const train = defineOp<{ x: Tensor; gamma: Tensor; beta: Tensor }, { epsilon: number }, Tensor[]>({
  name: 'BulwarkBatchNormTrain',
  composed: ({ x, gamma, beta }, { epsilon }) => {
    const axes = reducedAxes(x);
    const mean = meanOf(x, axes);
    const centred = sub(x, mean);
    const variance = meanOf(square(centred), axes);
    const scale = mul(gamma, rsqrt(add(variance, epsilon)));
    return [add(mul(centred, scale), beta), mean, variance];
  },
  gradient: {
    inputsToSave: ['x', 'gamma'],
    outputsToSave: [false, true, true],
    of: ([dy], saved, attrs) => {
      const [x, gamma, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor];
      // The three share their sums, so they are computed together; the outer tidy of the backward pass frees them.
      const [dx, dGamma, dBeta] = batchNormTrainGrad({ dy: dy!, x, gamma, mean, variance }, attrs) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      return { x: () => dx, gamma: () => dGamma, beta: () => dBeta };
    },
  },
});

/** Gradient of `batchNormEval` with respect to x: `dy gamma / sqrt(variance + epsilon)`, as dy. */
export const batchNormEvalInputGrad = defineOp<
  { dy: Tensor; gamma: Tensor; variance: Tensor },
  { epsilon: number },
  Tensor
>({
  name: 'BulwarkBatchNormEvalInputGrad',
  composed: ({ dy, gamma, variance }, { epsilon }) => mul(dy, mul(gamma, rsqrt(add(variance, epsilon)))),
});

const scaleGrad = (dy: Tensor, x: Tensor, given: { mean: Tensor; variance: Tensor; epsilon: number }): Tensor =>
  mul(sum(mul(dy, sub(x, given.mean)), reducedAxes(x)), rsqrt(add(given.variance, given.epsilon)));

/** Gradients of `batchNormEval` with respect to gamma and beta, `[channels]` each, in this order. */
export const batchNormEvalParameterGrads = (
  dy: Tensor,
  x: Tensor,
  given: { mean: Tensor; variance: Tensor; epsilon: number },
): [Tensor, Tensor] => [scaleGrad(dy, x, given), sum(dy, reducedAxes(x))];

const evaluate = defineOp<
  { x: Tensor; gamma: Tensor; beta: Tensor; mean: Tensor; variance: Tensor },
  { epsilon: number },
  Tensor
>({
  name: 'BulwarkBatchNormEval',
  composed: ({ x, gamma, beta, mean, variance }, { epsilon }) => {
    const scale = mul(gamma, rsqrt(add(variance, epsilon)));
    return add(mul(sub(x, mean), scale), beta);
  },
  gradient: {
    inputsToSave: ['x', 'gamma', 'mean', 'variance'],
    of: (dy, saved, attrs) => {
      const [x, gamma, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor];
      return {
        x: () => batchNormEvalInputGrad({ dy, gamma, variance }, attrs),
        gamma: () => scaleGrad(dy, x, { mean, variance, ...attrs }),
        beta: () => sum(dy, reducedAxes(x)),
      };
    },
  },
});

/**
 * Batch normalisation with the statistics of this batch (Ioffe and Szegedy, 2015, Algorithm 1; arXiv:1502.03167).
 * `y` is differentiable in x, gamma and beta, through the batch's mean and variance; `mean` and `variance` are constants.
 * @param x [batch, height, width, channels] or [batch, channels] float32
 * @param gamma [channels] float32
 * @param beta [channels] float32
 * @returns y as x; mean and biased variance, [channels] float32
 */
export function batchNormTrain<T extends Features>(
  x: T,
  gamma: Tensor1D,
  beta: Tensor1D,
  epsilon: number,
): { y: T; mean: Tensor1D; variance: Tensor1D } {
  const [y, mean, variance] = train({ x, gamma, beta }, { epsilon }) as unknown as [T, Tensor1D, Tensor1D];
  return { y, mean, variance };
}

/**
 * Batch normalisation with given statistics; differentiable in x, gamma and beta, not in the statistics.
 * @param x [batch, height, width, channels] or [batch, channels] float32
 * @param statistics gamma, beta, mean, variance: [channels] float32
 * @returns as x
 */
export function batchNormEval<T extends Features>(
  x: T,
  statistics: { gamma: Tensor1D; beta: Tensor1D; mean: Tensor1D; variance: Tensor1D; epsilon: number },
): T {
  const { gamma, beta, mean, variance, epsilon } = statistics;
  return evaluate({ x, gamma, beta, mean, variance }, { epsilon }) as T;
}
