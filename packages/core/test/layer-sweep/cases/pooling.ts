import * as tfl from '@tensorflow/tfjs-layers';
import { channelsFirst, type LayerCase } from '../layer-case.js';
import { at, build, type Values } from '../values.js';
import { pooling, type Windows } from '../windows.js';

type Pair = [number, number];

const sizes: Pair[] = [[1, 1], [1, 2], [2, 1], [2, 2], [3, 3], [2, 3], [5, 4]]; // prettier-ignore
const strides: Pair[] = [[1, 1], [2, 2], [1, 3], [3, 2]]; // prettier-ignore
const paddings = ['same', 'valid'] as const;
const kinds = ['max', 'average'] as const;
const layers = { max: tfl.layers.maxPooling2d, average: tfl.layers.averagePooling2d };

const pool2d = (kind: (typeof kinds)[number], windows: Windows, channels: number): LayerCase => ({
  name: `${kind} pooling ${windows.kernel.join('x')}, strides ${windows.strides.join('x')}, ${windows.padding}, ${channels} channels`,
  inputs: [[2, 7, 5, channels]],
  make: () =>
    layers[kind]({
      poolSize: windows.kernel as Pair,
      strides: windows.strides as Pair,
      padding: windows.padding,
    }),
  reference: (() => {
    const pool = pooling(kind, windows);
    return ([x]) => pool(x!);
  })(),
});

const all2d = kinds.flatMap((kind) =>
  sizes.flatMap((kernel) =>
    strides.flatMap((stride) =>
      paddings.map((padding, index) => pool2d(kind, { kernel, strides: stride, padding }, 3 + index)),
    ),
  ),
);

const pool1d: LayerCase[] = [1, 2, 3].flatMap((size) =>
  paddings.flatMap((padding) => [
    {
      name: `max pooling of sequences ${size}, strides 2, ${padding}`,
      inputs: [[2, 7, 3]],
      make: () => tfl.layers.maxPooling1d({ poolSize: size, strides: 2, padding }),
      reference: (() => {
        const pool = pooling('max', { kernel: [size], strides: [2], padding });
        return ([x]) => pool(x!);
      })() as LayerCase['reference'],
    },
    {
      name: `average pooling of sequences ${size}, strides 1, ${padding}`,
      inputs: [[2, 7, 3]],
      make: () => tfl.layers.averagePooling1d({ poolSize: size, strides: 1, padding }),
      reference: (() => {
        const pool = pooling('average', { kernel: [size], strides: [1], padding });
        return ([x]) => pool(x!);
      })() as LayerCase['reference'],
    },
  ]),
);

const pool3d: LayerCase[] = kinds.flatMap((kind) =>
  paddings.map((padding) => ({
    name: `${kind} pooling of volumes, ${padding}`,
    inputs: [[1, 4, 3, 5, 2]],
    make: () =>
      (kind === 'max' ? tfl.layers.maxPooling3d : tfl.layers.averagePooling3d)({
        poolSize: [2, 1, 3],
        strides: [2, 2, 1],
        padding,
      }),
    reference: (() => {
      const pool = pooling(kind, { kernel: [2, 1, 3], strides: [2, 2, 1], padding });
      return ([x]) => pool(x!);
    })(),
  })),
);

/** What the values of each image and channel come to. */
const overImage = (x: Values, reduce: (values: number[]) => number): Values =>
  build([x.shape[0]!, x.shape.at(-1)!], ([image, channel]) => {
    const middle = x.shape.slice(1, -1);
    const flat = { shape: [x.shape[0]!, middle.reduce((a, b) => a * b), x.shape.at(-1)!], data: x.data };
    return reduce(Array.from({ length: flat.shape[1]! }, (_, pixel) => at(flat, [image!, pixel, channel!])));
  });
const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const largest = (values: number[]): number => Math.max(...values);

const globalPools: LayerCase[] = [
  ...[[2, 5, 7, 3], [1, 1, 6, 5]].flatMap((shape): LayerCase[] => [
    {
      name: `global average of ${shape.join('x')}`,
      inputs: [shape],
      make: () => tfl.layers.globalAveragePooling2d({}),
      reference: ([x]) => overImage(x!, mean),
    },
    {
      name: `global maximum of ${shape.join('x')}`,
      inputs: [shape],
      make: () => tfl.layers.globalMaxPooling2d({}),
      reference: ([x]) => overImage(x!, largest),
    },
  ]),
  {
    name: 'global average of sequences',
    inputs: [[2, 5, 3]],
    make: () => tfl.layers.globalAveragePooling1d(),
    reference: ([x]) => overImage(x!, mean),
  },
  {
    name: 'global maximum of sequences',
    inputs: [[2, 5, 3]],
    make: () => tfl.layers.globalMaxPooling1d(),
    reference: ([x]) => overImage(x!, largest),
  },
]; // prettier-ignore

const first: LayerCase[] = kinds.map((kind) => ({
  name: `${kind} pooling, channelsFirst`,
  inputs: [[2, 3, 7, 5]],
  make: () => layers[kind]({ poolSize: 2, strides: 2, padding: 'same', dataFormat: 'channelsFirst' }),
  reference: (() => {
    const pool = pooling(kind, { kernel: [2, 2], strides: [2, 2], padding: 'same' });
    return ([x]) => channelsFirst(pool)(x!);
  })(),
}));

/** All pooling layers. */
export const poolings: LayerCase[] = [...all2d, ...pool1d, ...pool3d, ...globalPools, ...first];
