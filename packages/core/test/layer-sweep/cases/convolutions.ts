import * as tfl from '@tensorflow/tfjs-layers';
import { addBias, channelsFirst, type LayerCase } from '../layer-case.js';
import { mapValues, type Values } from '../values.js';
import { convolution, depthwise, transposedConvolution, type Windows } from '../windows.js';

type Pair = [number, number];
type Geometry = Windows & { kernel: Pair; strides: Pair; dilations: Pair };

const kernels: Pair[] = [[1, 1], [1, 3], [3, 1], [3, 3], [5, 5], [2, 2], [2, 3], [4, 1]]; // prettier-ignore
const strides: Pair[] = [[1, 1], [2, 2], [1, 2], [3, 2]]; // prettier-ignore
const dilations: Pair[] = [[2, 2], [1, 3], [2, 1]]; // prettier-ignore
const paddings = ['same', 'valid'] as const;

/** Not square, so that rows taken for columns show; channels that fill vectors, exceed them and do neither. */
const image = [2, 5, 7, 2];
const square = [1, 6, 6, 4];

const across = <T, U>(some: readonly T[], f: (one: T) => U[]): U[] => some.flatMap(f);

const fits = ({ kernel, dilations: gaps, padding }: Geometry): boolean =>
  padding === 'same' || kernel.every((taps, axis) => (taps - 1) * gaps[axis]! < image[axis + 1]!);

/** Every kernel with every stride or dilation (TensorFlow.js takes one of them at a time) and padding. */
const geometries: Geometry[] = across(kernels, (kernel) =>
  across(paddings, (padding): Geometry[] => [
    ...strides.map((each): Geometry => ({ kernel, strides: each, dilations: [1, 1], padding })),
    ...dilations.map((each): Geometry => ({ kernel, strides: [1, 1], dilations: each, padding })),
  ]),
).filter(fits);
const undilated = geometries.filter(({ dilations: [rows, columns] }) => rows * columns === 1);

const named = (what: string, { kernel, strides: step, dilations: gaps, padding }: Geometry): string =>
  `${what} ${kernel.join('x')}, strides ${step.join('x')}, dilation ${gaps.join('x')}, ${padding}`;
const options = ({ kernel, strides: step, dilations: gaps, padding }: Geometry) => ({
  kernelSize: kernel,
  strides: step,
  dilationRate: gaps,
  padding,
});
const conv2d = (geometry: Geometry, input: number[], filters: number): LayerCase => ({
  name: `${named('conv2d', geometry)} of ${input.join('x')} to ${filters}`,
  inputs: [input],
  make: () => tfl.layers.conv2d({ ...options(geometry), filters }),
  reference: (() => {
    const convolve = convolution(geometry);
    return ([x], [kernel, bias]) => addBias(convolve(x!, kernel!), bias);
  })(),
});

const relu = (values: Values): Values => mapValues(values, (value) => Math.max(value, 0));

const usual: Geometry = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], padding: 'same' };
const variants: LayerCase[] = [
  ...[1, 2, 8, 17].map((filters) => conv2d(usual, [1, 5, 9, 9], filters)),
  conv2d({ ...usual, strides: [2, 2] }, [1, 12, 12, 1], 8),
  conv2d({ ...usual, kernel: [1, 3], strides: [2, 2] }, [1, 12, 12, 1], 8),
  // a kernel as large as the image, and one that `same` makes larger than it
  conv2d({ ...usual, kernel: [4, 6], padding: 'valid' }, [2, 4, 6, 3], 5),
  conv2d({ ...usual, kernel: [5, 5] }, [2, 2, 3, 3], 5),
  {
    name: 'conv2d with ReLU, no bias',
    inputs: [image],
    make: () => tfl.layers.conv2d({ ...options(usual), filters: 5, activation: 'relu', useBias: false }),
    reference: (() => {
      const convolve = convolution(usual);
      return ([x], [kernel]) => relu(convolve(x!, kernel!));
    })(),
  },
  ...(['elu', 'tanh', 'softmax'] as const).map((activation): LayerCase => ({
    name: `conv2d 1x3, strides 2x2, with ${activation}`,
    inputs: [image],
    make: () => tfl.layers.conv2d({ kernelSize: [1, 3], strides: 2, padding: 'same', filters: 4, activation }),
    reference: (() => {
      const convolve = convolution({ ...usual, kernel: [1, 3], strides: [2, 2] });
      const each = {
        elu: (value: number) => (value > 0 ? value : Math.expm1(value)),
        tanh: Math.tanh,
        softmax: undefined,
      }[activation];
      return ([x], [kernel, bias]) => {
        const y = addBias(convolve(x!, kernel!), bias);
        if (each) return mapValues(y, each);
        const row = (index: number) => y.data.subarray(index - (index % 4), index - (index % 4) + 4);
        return mapValues(y, (value, index) => Math.exp(value) / row(index).reduce((sum, v) => sum + Math.exp(v), 0));
      };
    })(),
  })),
  ...(['channelsFirst', 'channelsLast'] as const).map((dataFormat): LayerCase => ({
    name: `conv2d, ${dataFormat}`,
    inputs: [dataFormat === 'channelsFirst' ? [2, 2, 5, 7] : image],
    make: () => tfl.layers.conv2d({ ...options(usual), filters: 5, dataFormat }),
    reference: (() => {
      const convolve = convolution(usual);
      return ([x], [kernel, bias]) => {
        const f = (images: Values) => addBias(convolve(images, kernel!), bias);
        return dataFormat === 'channelsFirst' ? channelsFirst(f)(x!) : f(x!);
      };
    })(),
  })),
];

const depthwiseConv2d = (geometry: Geometry, input: number[], depthMultiplier: number): LayerCase => ({
  name: `${named('depthwiseConv2d', geometry)}, ${input.join('x')} times ${depthMultiplier}`,
  inputs: [input],
  make: () => tfl.layers.depthwiseConv2d({ ...options(geometry), depthMultiplier }),
  reference: (() => {
    const convolve = depthwise(geometry);
    return ([x], [kernel, bias]) => addBias(convolve(x!, kernel!), bias);
  })(),
});

const separableConv2d = (geometry: Geometry): LayerCase => ({
  name: named('separableConv2d', geometry),
  inputs: [image],
  make: () => tfl.layers.separableConv2d({ ...options(geometry), filters: 4, depthMultiplier: 2 }),
  reference: (() => {
    const [along, across1] = [depthwise(geometry), convolution({ ...usual, kernel: [1, 1] })];
    return ([x], [kernel, points, bias]) => addBias(across1(along(x!, kernel!), points!), bias);
  })(),
});

const conv2dTranspose = (geometry: Geometry): LayerCase => {
  const input = [2, 4, 3, 3];
  const sides = [4, 3].map((side, axis) => {
    const [stride, kernel] = [geometry.strides[axis]!, geometry.kernel[axis]!];
    return side * stride + (geometry.padding === 'valid' ? Math.max(kernel - stride, 0) : 0);
  });
  return {
    name: named('conv2dTranspose', geometry),
    inputs: [input],
    make: () => tfl.layers.conv2dTranspose({ ...options(geometry), filters: 5 }),
    reference: (() => {
      const convolve = transposedConvolution(geometry, sides);
      return ([x], [kernel, bias]) => addBias(convolve(x!, kernel!), bias);
    })(),
  };
};

const conv1d = (kernel: number, stride: number, gap: number): LayerCase[] =>
  paddings.map((padding) => ({
    name: `conv1d ${kernel}, strides ${stride}, dilation ${gap}, ${padding}`,
    inputs: [[2, 11, 3]],
    make: () => tfl.layers.conv1d({ kernelSize: kernel, strides: stride, dilationRate: gap, padding, filters: 5 }),
    reference: (() => {
      const convolve = convolution({ kernel: [kernel], strides: [stride], dilations: [gap], padding });
      return ([x], [weights, bias]) => addBias(convolve(x!, weights!), bias);
    })(),
  }));

const conv3d = (kernel: [number, number, number], stride: number): LayerCase[] =>
  paddings.map((padding) => ({
    name: `conv3d ${kernel.join('x')}, strides ${stride}, ${padding}`,
    inputs: [[1, 4, 3, 5, 2]],
    make: () => tfl.layers.conv3d({ kernelSize: kernel, strides: stride, padding, filters: 3 }),
    reference: (() => {
      const convolve = convolution({ kernel, strides: [stride, stride, stride], padding });
      return ([x], [weights, bias]) => addBias(convolve(x!, weights!), bias);
    })(),
  }));

const conv3dTranspose = (kernel: [number, number, number], stride: number): LayerCase => ({
  name: `conv3dTranspose ${kernel.join('x')}, strides ${stride}`,
  inputs: [[1, 2, 3, 2, 2]],
  make: () => tfl.layers.conv3dTranspose({ kernelSize: kernel, strides: stride, padding: 'same', filters: 3 }),
  reference: (() => {
    const windows: Windows = { kernel, strides: [stride, stride, stride], padding: 'same' };
    const convolve = transposedConvolution(windows, [2 * stride, 3 * stride, 2 * stride]);
    return ([x], [weights, bias]) => addBias(convolve(x!, weights!), bias);
  })(),
});

/** All layers that are convolutions, in all shapes. */
export const convolutions: LayerCase[] = [
  ...geometries.map((geometry) => conv2d(geometry, image, 3)),
  ...undilated.map((geometry) => conv2d(geometry, square, 8)),
  ...variants,
  ...undilated.map((geometry) => depthwiseConv2d(geometry, image, 1)),
  ...undilated.map((geometry) => depthwiseConv2d(geometry, square, 2)),
  depthwiseConv2d(usual, [2, 9, 8, 1], 4),
  depthwiseConv2d(usual, [1, 4, 5, 18], 1),
  ...geometries.map(separableConv2d),
  ...undilated.map(conv2dTranspose),
  ...[1, 2, 3, 5].flatMap((kernel) => [...conv1d(kernel, 1, 1), ...conv1d(kernel, 2, 1), ...conv1d(kernel, 1, 2)]),
  ...conv3d([3, 3, 3], 1),
  ...conv3d([1, 3, 2], 2),
  conv3dTranspose([2, 2, 2], 2),
];
