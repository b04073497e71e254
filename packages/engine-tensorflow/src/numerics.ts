import { integers, largestDifference, wrongProducts as wrongProductsOf, type Values } from '@bulwark/core/install';
import type { NativeBinding, OpAttribute } from './binding.js';
import { batchNormAttributes, convAttributes } from './ops.js';

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

const sizes = ({ shape }: Values) => ({ shape: [shape.length], data: Int32Array.from(shape) });

/** What matrix product and convolution with its gradients compute differently from arithmetic, or undefined. */
export function wrongProducts(binding: NativeBinding): string | undefined {
  const transposes = ['transpose_a', 'transpose_b'].map((name) => ({ name, type: binding.TF_ATTR_BOOL, value: false }));
  const matrices = [typed(binding), ...transposes];
  const convolutions = convAttributes(binding, { strides: [1, 1], padding: [1, 1, 1, 1] }, 'SAME');
  const first = (name: string, attributes: readonly OpAttribute[], inputs: Parameters<typeof execute>[2]) =>
    execute(binding, { name, attributes }, inputs)[0];
  return wrongProductsOf({
    matrices: ['MatMul', (...given) => first('MatMul', matrices, given)],
    convolution: ['Conv2D', (...given) => first('Conv2D', convolutions, given)],
    inputGradient: [
      'Conv2DBackpropInput',
      (dy, filter, x) => first('Conv2DBackpropInput', convolutions, [sizes(x!), filter!, dy!]),
    ],
    filterGradient: [
      'Conv2DBackpropFilter',
      (x, dy, filter) => first('Conv2DBackpropFilter', convolutions, [x!, sizes(filter!), dy!]),
    ],
  });
}

/** What our own convolution and its gradients compute differently from the library's, or undefined: images of odd sides, with all that it adds. */
export function wrongOwnConvolution(binding: NativeBinding): string | undefined {
  const [from, to] = [16, 32];
  const x = integers([2, 5, 7, from], 8);
  const filter = integers([3, 3, from, to], 9);
  const dy = integers([2, 5, 7, to], 10);
  const bias = integers([to], 11);
  const library = convAttributes(binding, { strides: [1, 1], padding: [1, 1, 1, 1] }, 'SAME');
  const run = (name: string, attributes: readonly OpAttribute[], inputs: Parameters<typeof execute>[2]) =>
    execute(binding, { name, attributes }, inputs)[0]!;
  const matrices = run('BulwarkFilter', [], [filter]);
  const transformed = { shape: [36, from, to], data: Float32Array.from(matrices) };
  const relu = { name: 'relu', type: binding.TF_ATTR_BOOL, value: true };

  const y = run('Conv2D', library, [x, filter]);
  const finished = y.map((value, at) => Math.max(0, value + bias.data[at % to]! + dy.data[at]!));
  const dx = run('Conv2DBackpropInput', library, [sizes(x), filter, dy]);
  const dFilter = run('Conv2DBackpropFilter', library, [x, sizes(filter), dy]);
  for (const [name, found, expected] of [
    ['BulwarkConvolution', run('BulwarkConvolution', [relu], [x, transformed, bias, dy]), finished],
    ['BulwarkConvolutionGradient', run('BulwarkConvolutionGradient', [], [dy, transformed]), dx],
    ['BulwarkFilterGradient', run('BulwarkFilterGradient', [], [x, dy]), dFilter],
  ] as const) {
    const difference = largestDifference(found, expected);
    if (!(difference <= 1e-2)) return `${name} is off by ${difference}`;
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
