import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, allocate, kernelsOn, withScratch } from './module.js';
import type { WasmBackend } from './module.js';

type Infos<Names extends string> = Record<Names, TensorInfo>;

/** Rows and channels of a tensor whose last axis holds the channels. */
function matrix(x: TensorInfo): { rows: number; channels: number } {
  const channels = x.shape[x.shape.length - 1] ?? 1;
  return { rows: x.shape.slice(0, -1).reduce((product, side) => product * side, 1), channels };
}

/** [y, mean, variance] with this batch's statistics. */
export function normTrain(
  backend: WasmBackend,
  { x, gamma, beta }: Infos<'x' | 'gamma' | 'beta'>,
  epsilon: number,
): TensorInfo[] {
  const { channels, rows } = matrix(x);
  const mean = allocate(backend, [channels]);
  const variance = allocate(backend, [channels]);
  const { kernels } = kernelsOn(backend);
  kernels.batchStatistics(
    addressOf(backend, x),
    rows,
    channels,
    addressOf(backend, mean),
    addressOf(backend, variance),
  );
  return [normEval(backend, { x, gamma, beta, mean, variance }, epsilon), mean, variance];
}

/** y with given statistics. */
export function normEval(
  backend: WasmBackend,
  { x, gamma, beta, mean, variance }: Infos<'x' | 'gamma' | 'beta' | 'mean' | 'variance'>,
  epsilon: number,
): TensorInfo {
  const { rows, channels } = matrix(x);
  const { kernels } = kernelsOn(backend);
  const y = allocate(backend, x.shape);
  const at = (info: TensorInfo): number => addressOf(backend, info);
  withScratch(backend, channels, (scale) => {
    kernels.normScale(at(gamma), at(variance), scale, channels, epsilon);
    kernels.normApply(at(x), at(y), rows, channels, at(mean), scale, at(beta));
  });
  return y;
}

/** [dx, dGamma, dBeta] of `normTrain`'s y. */
export function normTrainGrad(
  backend: WasmBackend,
  { dy, x, gamma, mean, variance }: Infos<'dy' | 'x' | 'gamma' | 'mean' | 'variance'>,
  epsilon: number,
): TensorInfo[] {
  const { rows, channels } = matrix(x);
  const { kernels } = kernelsOn(backend);
  const [dx, dGamma, dBeta] = [
    allocate(backend, x.shape),
    allocate(backend, [channels]),
    allocate(backend, [channels]),
  ] as const;
  const at = (info: TensorInfo): number => addressOf(backend, info);
  kernels.normSums(at(dy), at(x), rows, channels, at(mean), at(variance), at(dGamma), at(dBeta), epsilon);
  withScratch(backend, 3 * channels, (coefficients) => {
    const sums = [at(dGamma), at(dBeta)];
    kernels.normInputGrad(
      at(dy),
      at(x),
      at(dx),
      rows,
      channels,
      at(gamma),
      at(mean),
      at(variance),
      ...sums,
      coefficients,
      epsilon,
    );
  });
  return [dx, dGamma, dBeta];
}

/** dx of `normEval`. */
export function normEvalInputGrad(
  backend: WasmBackend,
  { dy, gamma, variance }: Infos<'dy' | 'gamma' | 'variance'>,
  epsilon: number,
): TensorInfo {
  const { rows, channels } = matrix(dy);
  const { kernels } = kernelsOn(backend);
  const dx = allocate(backend, dy.shape);
  const at = (info: TensorInfo): number => addressOf(backend, info);
  withScratch(backend, channels, (scale) => {
    kernels.normScale(at(gamma), at(variance), scale, channels, epsilon);
    kernels.normScaleRows(at(dy), at(dx), rows, channels, scale);
  });
  return dx;
}
