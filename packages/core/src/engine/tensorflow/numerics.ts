import type { NativeBinding, OpAttribute } from './binding.js';
import { batchNormAttributes, convAttributes } from './ops.js';

/** A tensor for a check: small integers, exact in float32 and in bfloat16, so that every correct library agrees to the bit. */
interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function integers(shape: readonly number[], seed: number): Values {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    data[i] = ((state >>> 16) % 7) - 3;
  }
  return { shape, data };
}

const typed = (binding: NativeBinding, name = 'T'): OpAttribute => ({
  name,
  type: binding.TF_ATTR_TYPE,
  value: binding.TF_FLOAT,
});

/** Runs one native op on plain values and returns the first `outputs` results. */
function execute(
  binding: NativeBinding,
  op: { name: string; attributes: readonly OpAttribute[]; outputs?: number },
  inputs: readonly (Values | { readonly shape: readonly number[]; readonly data: Int32Array })[],
): number[][] {
  const ids = inputs.map(({ shape, data }) =>
    binding.createTensor(shape, data instanceof Int32Array ? binding.TF_INT32 : binding.TF_FLOAT, data),
  );
  const results = binding.executeOp(op.name, op.attributes, ids, op.outputs ?? 1);
  const values = results.map(({ id }) => Array.from(binding.tensorDataSync(id)));
  [...ids, ...results.map(({ id }) => id)].forEach((id) => binding.deleteTensor(id));
  return values;
}

function largestDifference(found: readonly number[] | undefined, expected: ArrayLike<number>): number {
  if (found?.length !== expected.length) return Infinity;
  // Math.max, unlike a comparison, never loses a NaN
  return found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]!)), 0);
}

/** Three-by-three convolution with padding 1 and stride 1 and both its gradients, by definition. */
function convolve(x: Values, filter: Values, dy: Values) {
  const [batch, height, width, inputs] = x.shape as [number, number, number, number];
  const outputs = filter.shape[3]!;
  const y = new Float32Array(dy.data.length);
  const dx = new Float32Array(x.data.length);
  const dFilter = new Float32Array(filter.data.length);
  for (let b = 0; b < batch; b++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        for (let tap = 0; tap < 9; tap++) {
          const [r, c] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
          if (r < 0 || c < 0 || r >= height || c >= width) continue;
          for (let i = 0; i < inputs; i++)
            for (let o = 0; o < outputs; o++) {
              const at = ((b * height + row) * width + column) * outputs + o;
              const from = ((b * height + r) * width + c) * inputs + i;
              const weight = (tap * inputs + i) * outputs + o;
              y[at]! += x.data[from]! * filter.data[weight]!;
              dx[from]! += dy.data[at]! * filter.data[weight]!;
              dFilter[weight]! += dy.data[at]! * x.data[from]!;
            }
        }
  return { y, dx, dFilter };
}

/** What matrix product and convolution with its gradients compute differently from arithmetic, or undefined. */
export function wrongProducts(binding: NativeBinding): string | undefined {
  const a = integers([16, 32], 1);
  const b = integers([32, 16], 2);
  const product = Float32Array.from({ length: 256 }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < 32; k++) sum += a.data[Math.floor(at / 16) * 32 + k]! * b.data[k * 16 + (at % 16)]!;
    return sum;
  });
  const x = integers([2, 7, 6, 8], 3);
  const filter = integers([3, 3, 8, 16], 4);
  const dy = integers([2, 7, 6, 16], 5);
  const { y, dx, dFilter } = convolve(x, filter, dy);
  const attributes = convAttributes(binding, { strides: [1, 1], padding: [1, 1, 1, 1] }, 'SAME');
  const sizes = (values: Values) => ({ shape: [4], data: Int32Array.from(values.shape) });
  const transposes = ['transpose_a', 'transpose_b'].map((name) => ({ name, type: binding.TF_ATTR_BOOL, value: false }));
  const checks: [string, number[][], Float32Array][] = [
    ['MatMul', execute(binding, { name: 'MatMul', attributes: [typed(binding), ...transposes] }, [a, b]), product],
    ['Conv2D', execute(binding, { name: 'Conv2D', attributes }, [x, filter]), y],
    ['Conv2DBackpropInput', execute(binding, { name: 'Conv2DBackpropInput', attributes }, [sizes(x), filter, dy]), dx],
    [
      'Conv2DBackpropFilter',
      execute(binding, { name: 'Conv2DBackpropFilter', attributes }, [x, sizes(filter), dy]),
      dFilter,
    ],
  ];
  for (const [name, [found], expected] of checks) {
    const difference = largestDifference(found, expected);
    if (!(difference <= 1e-3)) return `${name} is off by ${difference} where exact integers were expected`;
  }
  return undefined;
}

/** The same for fused BatchNorm in training and its gradient: [64, 2] values, statistics by definition. */
export function wrongBatchNorm(binding: NativeBinding): string | undefined {
  const epsilon = 1e-3;
  const [rows, channels] = [64, 2];
  const x = integers([rows, 1, 1, channels], 6);
  const dy = integers([rows, 1, 1, channels], 7);
  const channelValues = (values: readonly number[]): Values => ({
    shape: [values.length],
    data: Float32Array.from(values),
  });
  const column = (values: Float32Array, c: number) =>
    Array.from({ length: rows }, (_, row) => values[row * channels + c]!);
  const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const statistics = [0, 1].map((c) => {
    const xs = column(x.data, c);
    const mean = average(xs);
    const variance = average(xs.map((value) => (value - mean) ** 2));
    const normal = xs.map((value) => (value - mean) / Math.sqrt(variance + epsilon));
    const dys = column(dy.data, c);
    const [dBeta, dGamma] = [average(dys), average(dys.map((d, row) => d * normal[row]!))];
    return {
      mean,
      variance,
      normal,
      dx: dys.map((d, row) => (d - dBeta - normal[row]! * dGamma) / Math.sqrt(variance + epsilon)),
    };
  });
  const interleave = (key: 'normal' | 'dx') =>
    Float32Array.from(
      { length: rows * channels },
      (_, at) => statistics[at % channels]![key][Math.floor(at / channels)]!,
    );
  const attributes = batchNormAttributes(binding, { epsilon, training: true });
  const ones = channelValues([1, 1]);
  const empty = channelValues([]);
  const forward = execute(binding, { name: 'FusedBatchNormV3', attributes, outputs: 6 }, [
    x,
    ones,
    channelValues([0, 0]),
    empty,
    empty,
  ]);
  const means = channelValues(statistics.map(({ mean }) => mean));
  const spreads = channelValues(
    statistics.map(({ variance }) => (binding.isUsingGpuDevice() ? 1 / Math.sqrt(variance + epsilon) : variance)),
  );
  const backward = execute(binding, { name: 'FusedBatchNormGradV3', attributes, outputs: 5 }, [
    dy,
    x,
    ones,
    means,
    spreads,
    empty,
  ]);
  for (const [name, found, expected] of [
    ['FusedBatchNormV3', forward[0], interleave('normal')],
    ['FusedBatchNormGradV3', backward[0], interleave('dx')],
  ] as const) {
    const difference = largestDifference(found, expected);
    if (!(difference <= 1e-3)) return `${name} is off by ${difference}`;
  }
  return undefined;
}
