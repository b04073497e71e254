import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from './backend.js';
import { flat, typeOf, widthOf, type RunShader, type Shader } from './shader.js';

/** Rows that one invocation adds up. Sums of sums keep rounding small, and many invocations busy. */
const block = 64;

/** Sums over the rows of matrices [rows, channels]. */
export interface RowSums extends Pick<Shader, 'name' | 'inputs' | 'widths' | 'floats'> {
  readonly rows: number;
  readonly channels: number;
  /** What the sums are multiplied with. */
  readonly scale?: number;
  /** Statements before the expression, which have `index`, of an element, and `channel`, both in vectors if channels go by four. */
  readonly before: string;
  /** What is added up. */
  readonly expression: string;
}

/** One shader of a sum: each invocation adds up a block of rows of its channels. */
function sumOfBlocks(run: RunShader, backend: WebgpuBackend, of: Required<RowSums>): TensorInfo {
  const { name, inputs, widths, floats, rows, channels, scale, before, expression } = of;
  const width = widthOf(channels);
  return run(backend, {
    name: `${name} ${width}`,
    inputs,
    widths,
    shape: [Math.ceil(rows / block), channels],
    width,
    integers: { rows, groups: channels / width },
    floats: { ...floats, scale },
    code: `
      let channel = index % uniforms.groups;
      let first = (index / uniforms.groups) * ${block};
      var sum = ${typeOf(width)}(0.0);
      for (var row = first; row < min(first + ${block}, uniforms.rows); row++) {
        let index = row * uniforms.groups + channel;
        ${before}
        sum += ${expression};
      }
      value = sum * uniforms.scale;`,
  });
}

/** Sums over the rows of a matrix, or of an expression in matrices, times `scale`: [channels]. */
export function sumOfRows(run: RunShader, backend: WebgpuBackend, of: RowSums): TensorInfo {
  const { channels } = of;
  const scaleOf = (rows: number): number => (rows <= block ? (of.scale ?? 1) : 1);
  let sums = sumOfBlocks(run, backend, { widths: {}, floats: {}, ...of, scale: scaleOf(of.rows) });
  for (let rows = sums.shape[0]!; rows > 1; rows = sums.shape[0]!) {
    const parts = flat(sums);
    sums = sumOfBlocks(run, backend, {
      name: 'sum of parts',
      inputs: { Parts: parts },
      widths: { Parts: widthOf(channels) },
      floats: {},
      rows,
      channels,
      scale: scaleOf(rows),
      before: '',
      expression: 'readParts(index)',
    });
    backend.disposeData(parts.dataId);
  }
  return { dataId: sums.dataId, dtype: sums.dtype, shape: [channels] };
}
