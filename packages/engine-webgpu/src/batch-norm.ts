import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from './backend.js';
import { capital, flat, put, typeOf, widthOf, type RunShader, type Width } from './shader.js';
import type { SumOfRows } from './sum-of-rows.js';

type Names = 'x' | 'dy' | 'gamma' | 'beta' | 'mean' | 'variance';
type Inputs = Record<Names, TensorInfo>;
type Compute = (on: Norm, inputs: Inputs) => TensorInfo | TensorInfo[];

/** Shaders over a tensor whose last axis holds the channels. */
interface Norm {
  /** A tensor like the input `of`: `expression` is one in the names of the inputs, tensors and per channel alike. */
  like(name: string, inputs: Partial<Inputs>, of: 'x' | 'dy', expression: string): TensorInfo;
  /** The sum of an expression over all but the channels, or their mean, [channels]. */
  sum(name: string, inputs: Partial<Inputs>, expression: string): TensorInfo;
  mean(name: string, inputs: Partial<Inputs>, expression: string): TensorInfo;
}

const isWhole = (name: string): boolean => name === 'x' || name === 'dy';

/** Reads what an expression names: at `index` of whole tensors, at `channel` of what there is one of per channel. */
const reads = (names: readonly string[]): string =>
  names.map((name) => `let ${name} = read${capital(name)}(${isWhole(name) ? 'index' : 'channel'});`).join('\n');

const deviation = (width: Width): string =>
  `let deviation = inverseSqrt(variance + ${typeOf(width)}(uniforms.epsilon));`;

/** What runs the shaders. */
interface On {
  readonly run: RunShader;
  readonly sumOfRows: SumOfRows;
  readonly backend: WebgpuBackend;
}

function norm({ run, sumOfRows, backend }: On, epsilon: number, whole: TensorInfo): Norm {
  const channels = whole.shape.at(-1)!;
  const width = widthOf(channels);
  const rows = flat(whole).shape[0]! / channels;
  const given = (inputs: Partial<Inputs>) => {
    const names = Object.keys(inputs);
    return {
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [capital(name), flat(tensor)])),
      widths: Object.fromEntries(names.map((name) => [capital(name), width])),
      floats: { epsilon },
      before: `${reads(names)} ${names.includes('variance') ? deviation(width) : ''}`,
    };
  };
  const sum = (scale: number) => (name: string, inputs: Partial<Inputs>, expression: string) => {
    const { before, ...rest } = given(inputs);
    return sumOfRows(run, backend, { ...rest, name, rows, channels, scale, before, expression });
  };
  return {
    like(name, inputs, of, expression) {
      const { before, ...rest } = given(inputs);
      const { dataId, dtype } = run(backend, {
        ...rest,
        name: `${name} ${width}`,
        shape: [rows * channels],
        width,
        integers: { groups: channels / width, rows },
        code: `let channel = index % uniforms.groups; ${before} value = ${expression};`,
      });
      return { dataId, dtype, shape: inputs[of]!.shape };
    },
    sum: sum(1),
    mean: sum(1 / rows),
  };
}

const evaluated = '(x - mean) * (gamma * deviation) + beta';

const kernels: Readonly<Record<string, Compute>> = {
  BulwarkBatchNormTrain(on, { x, gamma, beta }) {
    const mean = on.mean('batch mean', { x }, 'x');
    const variance = on.mean('batch variance', { x, mean }, '(x - mean) * (x - mean)');
    return [on.like('norm', { x, gamma, beta, mean, variance }, 'x', evaluated), mean, variance];
  },
  BulwarkBatchNormTrainGrad(on, { dy, x, gamma, mean, variance }) {
    const dBeta = on.sum('norm shift gradient', { dy }, 'dy');
    const dGamma = on.sum('norm scale gradient', { dy, x, mean, variance }, 'dy * (x - mean) * deviation');
    // what dy changes in the mean and in the variance
    const through = '(dBeta + (x - mean) * deviation * dGamma) / f32(uniforms.rows)';
    const inputs = { dy, x, gamma, mean, variance, dBeta, dGamma };
    const dx = on.like('norm gradient', inputs, 'x', `(dy - ${through}) * (gamma * deviation)`);
    return [dx, dGamma, dBeta];
  },
  BulwarkBatchNormEval: (on, { x, gamma, beta, mean, variance }) =>
    on.like('norm', { x, gamma, beta, mean, variance }, 'x', evaluated),
  BulwarkBatchNormEvalInputGrad: (on, { dy, gamma, variance }) =>
    on.like('norm eval gradient', { dy, gamma, variance }, 'dy', 'dy * (gamma * deviation)'),
};

/** BatchNorm and its gradients: one shader for each sum and for each result, where composed ops transpose and copy whole tensors. */
export function putBatchNorm(run: RunShader, sumOfRows: SumOfRows): void {
  for (const [kernelName, compute] of Object.entries(kernels))
    put(kernelName, ({ inputs, attrs, backend }) => {
      const tensors = inputs as unknown as Inputs;
      const { epsilon } = attrs as unknown as { epsilon: number };
      return compute(
        norm({ run, sumOfRows, backend: backend as WebgpuBackend }, epsilon, tensors.x ?? tensors.dy),
        tensors,
      );
    });
}
