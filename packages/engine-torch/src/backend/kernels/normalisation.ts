import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { scalarType } from '../aten.js';
import type { Kit } from '../kernel.js';
import type { Handle } from '../native.js';

/** Softmax and batch normalisation. */
export function registerNormalisation({ kernel, aten, at }: Kit): void {
  const zeros = (shape: readonly number[]): Handle => aten.zeros(shape, scalarType('float32'));
  kernel('Softmax', ({ logits }, { dim }) => aten.softmax(at(logits!), dim as number, false));
  kernel('LogSoftmax', ({ logits }, { axis = -1 }) => aten.logSoftmax(at(logits!), axis as number, false));
  kernel('BulwarkLogSoftmax', ({ logits }) => aten.logSoftmax(at(logits!), 1, false));
  kernel('BulwarkCrossEntropy', ({ logits, targets }) =>
    aten.neg(aten.sum(aten.mul(at(targets!), aten.logSoftmax(at(logits!), 1, false)), [1])),
  );

  /** Channels come second in PyTorch; features have no axes behind them. */
  const between = ({ shape }: TensorInfo): number[] => shape.slice(1, -1).map((_, i) => i);
  const second = (x: TensorInfo): Handle =>
    x.shape.length > 2 ? aten.permute(at(x), [0, x.shape.length - 1, ...between(x).map((i) => i + 1)]) : at(x);
  const last = (x: Handle, like: TensorInfo): Handle =>
    like.shape.length > 2 ? aten.permute(x, [0, ...between(like).map((i) => i + 2), 1]) : aten.alias(x);
  const inverseDeviation = (variance: TensorInfo, epsilon: number): Handle =>
    aten.rsqrt(aten.addScalar(at(variance), epsilon));

  kernel('BulwarkBatchNormTrain', ({ x, gamma, beta }, { epsilon }) => {
    // with a momentum of 1 the running statistics are those of this batch, the variance among them, not only its inverse root
    const [mean, unbiased] = [zeros(gamma!.shape), zeros(gamma!.shape)];
    const settings = [mean, unbiased, true, 1, epsilon as number] as const;
    const [y] = aten.nativeBatchNorm(second(x!), at(gamma!), at(beta!), ...settings);
    const count = x!.shape.slice(0, -1).reduce((product, length) => product * length, 1);
    // a single value has no unbiased variance; its biased one is 0
    const variance = count > 1 ? aten.mulScalar(unbiased, (count - 1) / count) : zeros(gamma!.shape);
    return [last(y!, x!), mean, variance];
  });
  kernel('BulwarkBatchNormTrainGrad', ({ dy, x, gamma, mean, variance }, { epsilon }) => {
    const deviation = inverseDeviation(variance!, epsilon as number);
    const settings = [null, null, at(mean!), deviation, true, epsilon as number, [true, true, true]] as const;
    const [dx, dGamma, dBeta] = aten.nativeBatchNormBackward(second(dy!), second(x!), at(gamma!), ...settings);
    return [last(dx!, x!), dGamma!, dBeta!];
  });
  kernel('BulwarkBatchNormEval', ({ x, gamma, beta, mean, variance }, { epsilon }) => {
    const settings = [at(mean!), at(variance!), false, 0, epsilon as number] as const;
    return last(aten.nativeBatchNorm(second(x!), at(gamma!), at(beta!), ...settings)[0]!, x!);
  });
  kernel('BulwarkBatchNormEvalInputGrad', ({ dy, gamma, variance }, { epsilon }) =>
    aten.mul(at(dy!), aten.mul(at(gamma!), inverseDeviation(variance!, epsilon as number))),
  );
  // TensorFlow.js's own takes statistics of any shape that broadcasts: LayerNormalization gives it those of each example
  kernel('FusedBatchNorm', ({ x, mean, variance, offset, scale }, { varianceEpsilon = 0.001 }) => {
    const normal = aten.mul(aten.sub(at(x!), at(mean!)), inverseDeviation(variance!, varianceEpsilon as number));
    const scaled = scale ? aten.mul(normal, at(scale)) : normal;
    return offset ? aten.add(scaled, at(offset)) : scaled;
  });

  /** 1 where two channels are at most `radius` apart, `[channels, channels]`. */
  const neighbours = (channels: number, radius: number): Handle =>
    aten.tril(aten.triu(aten.full([channels, channels], 1, scalarType('float32')), -radius), radius);
  /** bias + alpha * the sum of squares of neighbouring channels */
  const responses = (x: Handle, near: Handle, { alpha, bias }: NamedAttrMap): Handle =>
    aten.addScalar(aten.mulScalar(aten.matmul(aten.square(x), near), alpha as number), bias as number);
  kernel('LRN', ({ x }, attrs) => {
    const near = neighbours(x!.shape[3]!, attrs['depthRadius'] as number);
    const input = at(x!);
    return aten.mul(input, aten.powScalar(responses(input, near, attrs), -(attrs['beta'] as number)));
  });
  kernel('LRNGrad', ({ x, y, dy }, attrs) => {
    const { alpha, beta } = attrs as { alpha: number; beta: number };
    const near = neighbours(x!.shape[3]!, attrs['depthRadius'] as number);
    const [input, gradient] = [at(x!), at(dy!)];
    const response = responses(input, near, attrs);
    const direct = aten.mul(gradient, aten.powScalar(response, -beta));
    const throughOthers = aten.matmul(aten.div(aten.mul(gradient, at(y!)), response), near);
    return aten.sub(direct, aten.mulScalar(aten.mul(input, throughOthers), 2 * alpha * beta));
  });
}
