import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from './backend.js';
import { capital, flat, put, typeOf, widthOf, type RunShader, type Width } from './shader.js';

export type NormInputs = Record<'x' | 'dy' | 'gamma' | 'beta' | 'mean' | 'variance', TensorInfo>;

const isWhole = (name: string): boolean => name === 'x' || name === 'dy';

/** Reads what an expression names: at `index` of whole tensors, at `channel` of what there is one of per channel. */
const reads = (names: readonly string[]): string =>
  names.map((name) => `let ${name} = read${capital(name)}(${isWhole(name) ? 'index' : 'channel'});`).join('\n');

const deviation = (width: Width): string =>
  `let deviation = inverseSqrt(variance + ${typeOf(width)}(uniforms.epsilon));`;

/** What shaders over a tensor whose last axis holds the channels have in common. */
export function overChannels(whole: TensorInfo, inputs: Partial<NormInputs>, epsilon: number) {
  const channels = whole.shape.at(-1)!;
  const width = widthOf(channels);
  const names = Object.keys(inputs);
  return {
    channels,
    width,
    rows: flat(whole).shape[0]! / channels,
    shared: {
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [capital(name), flat(tensor)])),
      widths: Object.fromEntries(names.map((name) => [capital(name), width])),
      floats: { epsilon },
    },
    before: `${reads(names)} ${names.includes('variance') ? deviation(width) : ''}`,
  };
}

/** A tensor like the input `of`: `expression` is one in the names of the inputs, tensors and per channel alike. */
export function normLike(
  run: RunShader,
  backend: WebgpuBackend,
  {
    name,
    inputs,
    of,
    epsilon,
    expression,
  }: { name: string; inputs: Partial<NormInputs>; of: 'x' | 'dy'; epsilon: number; expression: string },
): TensorInfo {
  const { channels, width, rows, shared, before } = overChannels(inputs[of]!, inputs, epsilon);
  const { dataId, dtype } = run(backend, {
    ...shared,
    name: `${name} ${width}`,
    shape: [rows * channels],
    width,
    integers: { groups: channels / width, rows },
    code: `let channel = index % uniforms.groups; ${before} value = ${expression};`,
  });
  return { dataId, dtype, shape: inputs[of]!.shape };
}

export const normalised = '(x - mean) * (gamma * deviation) + beta';

/** A kernel of BatchNorm. */
export function putNorm(
  kernelName: string,
  compute: (backend: WebgpuBackend, inputs: NormInputs, epsilon: number) => TensorInfo | TensorInfo[],
): void {
  put(kernelName, ({ inputs, attrs, backend }) =>
    compute(backend as WebgpuBackend, inputs as unknown as NormInputs, attrs!['epsilon'] as number),
  );
}

/** BatchNorm with given statistics and its gradient, one shader each. */
export function putBatchNormEval(run: RunShader): void {
  putNorm('BulwarkBatchNormEval', (backend, { x, gamma, beta, mean, variance }, epsilon) =>
    normLike(run, backend, {
      ...{ name: 'norm', of: 'x', epsilon, expression: normalised },
      inputs: { x, gamma, beta, mean, variance },
    }),
  );
  // callers may give more than these
  putNorm('BulwarkBatchNormEvalInputGrad', (backend, { dy, gamma, variance }, epsilon) =>
    normLike(run, backend, {
      ...{ name: 'norm eval gradient', of: 'dy', epsilon, expression: 'dy * (gamma * deviation)' },
      inputs: { dy, gamma, variance },
    }),
  );
}
