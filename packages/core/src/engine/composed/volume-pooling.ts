import { avgPool, engine, maxPool, reshape } from '../../tensor/index.js';
import type { Tensor, Tensor4D } from '../../tensor/index.js';
import { composed } from './kernel.js';

type Pair = [number, number];
type Triple = [number, number, number];
type Shape5D = [batch: number, depth: number, height: number, width: number, channels: number];

interface Attrs {
  readonly filterSize: Triple | number;
  readonly strides: Triple | number;
  readonly pad: 'same' | 'valid';
}

/** One pooling of images. */
interface Pooling {
  readonly input: Tensor4D;
  readonly output: Tensor4D;
  readonly attrs: { readonly filterSize: Pair; readonly strides: Pair; readonly pad: 'same' | 'valid' };
}

const triple = (value: Triple | number): Triple => (typeof value === 'number' ? [value, value, value] : value);

/** Pooling of volumes is one of their layers, each an image, then one along the depth, for which each layer is a row. */
function pool(x: Tensor, { filterSize, strides, pad }: Attrs, pool2d: typeof maxPool) {
  const [batch, depth, height, width, channels] = x.shape as Shape5D;
  const [[tall, ...size], [far, ...step]] = [triple(filterSize), triple(strides)];
  const run = (input: Tensor4D, window: Pair, stride: Pair): Pooling => {
    const attrs = { filterSize: window, strides: stride, pad };
    return { input, output: pool2d(input, window, stride, pad), attrs };
  };
  const layers = run(reshape(x, [batch * depth, height, width, channels]), size, step);
  const [, newHeight, newWidth] = layers.output.shape;
  const rows: Tensor4D = reshape(layers.output, [batch, depth, newHeight * newWidth, channels]);
  const along = run(rows, [tall, 1], [far, 1]);
  return { layers, along, shape: [batch, along.output.shape[1], newHeight, newWidth, channels] };
}

/** A pooling of volumes and its gradient, made of those of images. */
function volumePooling(name: 'MaxPool' | 'AvgPool') {
  const pool2d = name === 'MaxPool' ? maxPool : avgPool;
  const back = (dy: Tensor, { input, output, attrs }: Pooling): Tensor =>
    engine().runKernel(`${name}Grad`, { dy: reshape(dy, output.shape), input, output }, { ...attrs }) as Tensor;
  return [
    composed<{ x: Tensor }, Attrs>(`${name}3D`, ({ x }, attrs) => {
      const { along, shape } = pool(x, attrs, pool2d);
      return reshape(along.output, shape);
    }),
    composed<{ dy: Tensor; input: Tensor }, Attrs>(`${name}3DGrad`, ({ dy, input }, attrs) => {
      const { layers, along } = pool(input, attrs, pool2d);
      return reshape(back(back(dy, along), layers), input.shape);
    }),
  ] as const;
}

export const volumePoolings = [...volumePooling('MaxPool'), ...volumePooling('AvgPool')];
