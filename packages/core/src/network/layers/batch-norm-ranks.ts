import { add, concat, mean as meanOf, mul, rsqrt, square, sub, tensor1d } from '../../tensor/index.js';
import type { Tensor, Tensor1D } from '../../tensor/index.js';
import { batchNormEvalParameterGrads } from '../../ops/index.js';
import type { BatchRanks, LayerStatistics } from '../pass.js';

/** What turns the variance of n values into the unbiased one. A single value has none: PyTorch refuses it, 0 is the harmless choice here. */
export const besselOf = (count: number): number => (count > 1 ? count / (count - 1) : 1);

/** A number, then vectors `[channels]`, as every process with examples has them. */
function gathered(ranks: BatchRanks, count: number, vectors: readonly Tensor[]) {
  const own = concat([tensor1d([count]), ...(vectors as Tensor1D[])]).dataSync() as Float32Array;
  return ranks.gather(own).map((all) => {
    const channels = (all.length - 1) / vectors.length;
    return { count: all[0]!, vectors: vectors.map((_, i) => all.subarray(1 + i * channels, 1 + (i + 1) * channels)) };
  });
}

/**
 * Mean and variance over a batch that several processes share: each one's own, merged (Chan et al., 1979) in the order of ranks, so that
 * all have the same bits.
 * @param x the examples of this process, `[batch, h, w, channels]` or `[batch, channels]`
 */
export function statisticsOverRanks(x: Tensor, ranks: BatchRanks): LayerStatistics {
  const axes = x.shape.map((_, axis) => axis).slice(0, -1);
  const channels = x.shape.at(-1)!;
  const own = meanOf(x, axes);
  const all = gathered(ranks, x.size / channels, [own, meanOf(square(sub(x, own)), axes)]);
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const [mean, variance] = [new Float64Array(channels), new Float64Array(channels)];
  for (const { count: n, vectors } of all) vectors[0]!.forEach((m, k) => (mean[k]! += (n / count) * m));
  for (const { count: n, vectors } of all)
    vectors[1]!.forEach((v, k) => (variance[k]! += (n / count) * (v + (vectors[0]![k]! - mean[k]!) ** 2)));
  const tensor = (values: Float64Array) => tensor1d(Float32Array.from(values));
  return { mean: tensor(mean), variance: tensor(variance), count, bessel: besselOf(count) };
}

/**
 * Gradients through these statistics with respect to x, gamma and beta, in this order. That of x is whole, with what the examples of all
 * processes send back through mean and variance; those of gamma and beta are this process's summands.
 */
export function gradientOverRanks(
  of: { dy: Tensor; x: Tensor; gamma: Tensor1D; mean: Tensor1D; variance: Tensor1D },
  { epsilon, ranks }: { epsilon: number; ranks: BatchRanks },
): [dx: Tensor, dGamma: Tensor, dBeta: Tensor] {
  const { dy, x, gamma, mean, variance } = of;
  const own = batchNormEvalParameterGrads(dy, x, { mean, variance, epsilon });
  const all = gathered(ranks, x.size / gamma.size, own);
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const [dGamma, dBeta] = own.map(({ size }, i) => {
    const sum = new Float64Array(size);
    for (const { vectors } of all) vectors[i]!.forEach((value, k) => (sum[k]! += value / count));
    return tensor1d(Float32Array.from(sum));
  }) as [Tensor1D, Tensor1D];
  const inverseDeviation = rsqrt(add(variance, epsilon));
  const normalized = mul(sub(x, mean), inverseDeviation);
  const throughStatistics = add(dBeta, mul(normalized, dGamma));
  return [mul(sub(dy, throughStatistics), mul(gamma, inverseDeviation)), ...own];
}
