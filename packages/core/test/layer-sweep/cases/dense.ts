import * as tfl from '@tensorflow/tfjs-layers';
import { addBias, type LayerCase } from '../layer-case.js';
import { at, build, mapValues, type Values } from '../values.js';

/** The last axis times a matrix. */
export const times = (x: Values, matrix: Values): Values =>
  build([...x.shape.slice(0, -1), matrix.shape[1]!], (position) => {
    const row = position.slice(0, -1);
    let sum = 0;
    for (let k = 0; k < matrix.shape[0]!; k++) sum += at(x, [...row, k]) * at(matrix, [k, position.at(-1)!]);
    return sum;
  });

const denses: LayerCase[] = [[3, 5], [1, 9], [2, 3, 4], [2, 2, 3, 5]].flatMap((shape) =>
  [1, 4, 7].map((units): LayerCase => ({
    name: `dense of ${shape.join('x')} to ${units}`,
    inputs: [shape],
    make: () => tfl.layers.dense({ units, useBias: units !== 7 }),
    reference: ([x], [kernel, bias]) => addBias(times(x!, kernel!), bias),
  })),
); // prettier-ignore
denses.push(
  ...(['relu', 'elu', 'tanh'] as const).map((activation): LayerCase => ({
    name: `dense with ${activation}`,
    inputs: [[3, 5]],
    make: () => tfl.layers.dense({ units: 4, activation }),
    reference: ([x], [kernel, bias]) =>
      mapValues(
        addBias(times(x!, kernel!), bias),
        {
          relu: (value: number) => Math.max(value, 0),
          elu: (value: number) => (value > 0 ? value : Math.expm1(value)),
          tanh: Math.tanh,
        }[activation],
      ),
  })),
);

/** Statistics of the last axis, or of all of an example. */
const layerNorm = (axis: number | number[], shape: number[], scale = true): LayerCase => ({
  name: `layerNormalization of ${shape.join('x')}, axis ${String(axis)}${scale ? '' : ', no scale'}`,
  inputs: [shape],
  make: () => tfl.layers.layerNormalization({ axis, scale }),
  reference: ([x], weights) => {
    const [gamma, beta] = scale ? weights : [undefined, weights[0]];
    const width = beta!.data.length;
    const row = (index: number): Float64Array =>
      x!.data.subarray(index - (index % width), index - (index % width) + width);
    return mapValues(x!, (value, index) => {
      const values = row(index);
      const mean = values.reduce((sum, v) => sum + v, 0) / width;
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
      const normal = (value - mean) / Math.sqrt(variance + 1e-3);
      return normal * (gamma?.data[index % width] ?? 1) + beta!.data[index % width]!;
    });
  },
});

const batchNorm = (shape: number[], parts: { scale?: boolean; center?: boolean } = {}): LayerCase => {
  const { scale = true, center = true } = parts;
  return {
    name: `batchNormalization of ${shape.join('x')}${scale ? '' : ', no scale'}${center ? '' : ', no center'}`,
    inputs: [shape],
    // running variances have to be positive
    make: () => tfl.layers.batchNormalization({ scale, center, epsilon: 1.5 }),
    reference: ([x], weights) => {
      const channels = shape.at(-1)!;
      const [gamma, beta] = [scale ? weights[0]! : undefined, center ? weights[scale ? 1 : 0]! : undefined];
      const [mean, variance] = weights.slice(-2) as [Values, Values];
      return mapValues(x!, (value, index) => {
        const c = index % channels;
        const normal = (value - mean.data[c]!) / Math.sqrt(variance.data[c]! + 1.5);
        return normal * (gamma?.data[c] ?? 1) + (beta?.data[c] ?? 0);
      });
    },
  };
};

/** Layers that do nothing but in training. */
const idle: LayerCase[] = (
  [
    ['dropout', () => tfl.layers.dropout({ rate: 0.5 })],
    ['spatialDropout1d', () => tfl.layers.spatialDropout1d({ rate: 0.5 })],
    ['gaussianNoise', () => tfl.layers.gaussianNoise({ stddev: 1 })],
    ['gaussianDropout', () => tfl.layers.gaussianDropout({ rate: 0.5 })],
    ['alphaDropout', () => tfl.layers.alphaDropout({ rate: 0.5 })],
  ] as const
).map(([name, make]) => ({
  name: `${name}, not training`,
  inputs: [[2, 5, 3]],
  make,
  reference: ([x]) => x!,
}));

/** Products with matrices, normalisation, and layers without effect. */
export const densesAndNorms: LayerCase[] = [
  ...denses,
  layerNorm(-1, [3, 5]),
  layerNorm(-1, [2, 3, 2, 5]),
  layerNorm([1, 2, 3], [2, 3, 2, 4]),
  layerNorm(-1, [3, 5], false),
  batchNorm([3, 5]),
  batchNorm([2, 3, 4]),
  batchNorm([2, 3, 2, 5]),
  batchNorm([2, 3, 2, 5], { scale: false }),
  batchNorm([2, 3, 2, 5], { center: false }),
  ...idle,
  {
    name: 'rescaling',
    inputs: [[2, 3, 4, 2]],
    make: () => tfl.layers.rescaling({ scale: 1 / 255, offset: -0.5 }),
    reference: ([x]) => mapValues(x!, (value) => value / 255 - 0.5),
  },
];
