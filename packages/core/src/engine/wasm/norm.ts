import type { TensorInfo } from '../../tensor/index.js';
import { addressOf, allocate, FLOAT_WORK, kernelsOn, withScratch } from './module.js';
import type { WasmBackend } from './module.js';
import type { SharedKernel } from './helper.js';

type Infos<Names extends string> = Record<Names, TensorInfo>;

/** Rows are summed in chunks of about so many floats, which stay in the first cache. */
const CHUNK_FLOATS = 4096;
const SMALLEST_CHUNK = 8;
/** Floats of a unit. */
const UNIT_FLOATS = 8192;
const UNIT_CHANNELS = 64;

/** Rows and channels of a tensor whose last axis holds the channels. */
function matrix(x: TensorInfo): { rows: number; channels: number } {
  const channels = x.shape[x.shape.length - 1] ?? 1;
  return { rows: x.shape.slice(0, -1).reduce((product, side) => product * side, 1), channels };
}

/** Fields of `NormJob` in packages/core/assembly/norm.ts that kernels read or write; addresses. */
type NormFields = Partial<
  Record<'x' | 'dy' | 'y' | 'partial' | 'first' | 'second' | 'mean' | 'scale' | 'slope' | 'shift', number>
>;

/** Runs kernels over a matrix one after the other. */
function overMatrix(backend: WasmBackend, like: TensorInfo) {
  const { rows, channels } = matrix(like);
  const chunk = Math.max(SMALLEST_CHUNK, Math.floor(CHUNK_FLOATS / channels));
  const unitRows = chunk * Math.max(1, Math.round(UNIT_FLOATS / channels / chunk));
  const chunks = Math.ceil(rows / chunk);
  const { share } = kernelsOn(backend);
  const run = (kernel: SharedKernel, fields: NormFields, division: { units: number; floats: number }): void => {
    const {
      x = 0,
      dy = 0,
      y = 0,
      partial = 0,
      first = 0,
      second = 0,
      mean = 0,
      scale = 0,
      slope = 0,
      shift = 0,
    } = fields;
    const parameters = [x, dy, y, rows, channels, chunk, unitRows, UNIT_CHANNELS, partial, first, second];
    const { units, floats } = division;
    share(kernel, [...parameters, mean, scale, slope, shift], { units, work: floats * FLOAT_WORK });
  };
  return {
    rows,
    channels,
    /** A kernel that makes one row of the result from each row; `tensors` are read or written. */
    byRows: (kernel: SharedKernel, fields: NormFields, tensors: number): void =>
      run(kernel, fields, { units: Math.ceil(rows / unitRows), floats: tensors * rows * channels }),
    /** Two sums per channel: those of each chunk, then both over all chunks. */
    sums: (kernels: readonly [SharedKernel, SharedKernel], fields: NormFields, tensors: number): void =>
      withScratch(backend, chunks * 2 * channels, (partial) => {
        const floats = tensors * rows * channels;
        run(kernels[0], { ...fields, partial }, { units: Math.ceil(rows / unitRows), floats });
        const units = Math.ceil(channels / UNIT_CHANNELS);
        run(kernels[1], { ...fields, partial }, { units, floats: chunks * 2 * channels });
      }),
  };
}

/** [y, mean, variance] with this batch's statistics. */
export function normTrain(
  backend: WasmBackend,
  { x, gamma, beta }: Infos<'x' | 'gamma' | 'beta'>,
  epsilon: number,
): TensorInfo[] {
  const { channels, sums } = overMatrix(backend, x);
  const mean = allocate(backend, [channels]);
  const variance = allocate(backend, [channels]);
  const at = (info: TensorInfo): number => addressOf(backend, info);
  sums(['batchStatisticsUnit', 'mergeStatisticsUnit'], { x: at(x), first: at(mean), second: at(variance) }, 1);
  return [normEval(backend, { x, gamma, beta, mean, variance }, epsilon), mean, variance];
}

/** y with given statistics. */
export function normEval(
  backend: WasmBackend,
  { x, gamma, beta, mean, variance }: Infos<'x' | 'gamma' | 'beta' | 'mean' | 'variance'>,
  epsilon: number,
): TensorInfo {
  const { channels, byRows } = overMatrix(backend, x);
  const { kernels } = kernelsOn(backend);
  const y = allocate(backend, x.shape);
  const at = (info: TensorInfo): number => addressOf(backend, info);
  withScratch(backend, channels, (scale) => {
    kernels.normScale(at(gamma), at(variance), scale, channels, epsilon);
    byRows('normApplyUnit', { x: at(x), y: at(y), mean: at(mean), scale, shift: at(beta) }, 2);
  });
  return y;
}

/** [dx, dGamma, dBeta] of `normTrain`'s y. */
export function normTrainGrad(
  backend: WasmBackend,
  { dy, x, gamma, mean, variance }: Infos<'dy' | 'x' | 'gamma' | 'mean' | 'variance'>,
  epsilon: number,
): TensorInfo[] {
  const { rows, channels, byRows, sums } = overMatrix(backend, x);
  const { kernels } = kernelsOn(backend);
  const [dx, dGamma, dBeta] = [
    allocate(backend, x.shape),
    allocate(backend, [channels]),
    allocate(backend, [channels]),
  ] as const;
  const at = (info: TensorInfo): number => addressOf(backend, info);
  const given = { x: at(x), dy: at(dy), mean: at(mean) };
  sums(['normSumsUnit', 'mergeSumsUnit'], { ...given, first: at(dBeta), second: at(dGamma) }, 2);
  kernels.normGammaGrad(at(dGamma), at(variance), channels, epsilon);
  withScratch(backend, 3 * channels, (scale) => {
    const [slope, shift] = [scale + channels * 4, scale + channels * 8];
    const found = [at(dGamma), at(dBeta), scale, rows, channels, epsilon];
    kernels.normGradCoefficients(at(gamma), at(variance), ...found);
    byRows('normInputGradUnit', { ...given, y: at(dx), scale, slope, shift }, 3);
  });
  return [dx, dGamma, dBeta];
}

/** dx of `normEval`. */
export function normEvalInputGrad(
  backend: WasmBackend,
  { dy, gamma, variance }: Infos<'dy' | 'gamma' | 'variance'>,
  epsilon: number,
): TensorInfo {
  const { channels, byRows } = overMatrix(backend, dy);
  const { kernels } = kernelsOn(backend);
  const dx = allocate(backend, dy.shape);
  const at = (info: TensorInfo): number => addressOf(backend, info);
  withScratch(backend, channels, (scale) => {
    kernels.normScale(at(gamma), at(variance), scale, channels, epsilon);
    byRows('normScaleRowsUnit', { dy: at(dy), y: at(dx), scale }, 2);
  });
  return dx;
}
