import { div, mean, mul, ones, reshape } from '../tensor/index.js';
import type { Tensor, Tensor2D, Tensor4D } from '../tensor/index.js';
import { defineOp } from './op.js';

type Size = { height: number; width: number };

/** Gradient of `spatialMean`: `dy` [batch, channels] over the pixels of each image, divided by their number. */
export const spatialMeanGrad = defineOp<{ dy: Tensor }, Size, Tensor>({
  name: 'BulwarkSpatialMeanGrad',
  composed: ({ dy }, { height, width }) => {
    const [batch, channels] = dy.shape as [number, number];
    return mul(reshape(div(dy, height * width), [batch, 1, 1, channels]), ones([1, height, width, 1]));
  },
});

const average = defineOp<{ x: Tensor }, Size, Tensor>({
  name: 'BulwarkSpatialMean',
  composed: ({ x }) => mean(x, [1, 2]),
  gradient: {
    of: (dy, _saved, size) => ({ x: () => spatialMeanGrad({ dy }, size) }),
  },
});

/**
 * The mean over the pixels of each image, as `tf.mean(x, [1, 2])`; its gradient keeps nothing and makes no tensor of ones.
 * @param x [batch, height, width, channels] float32
 * @returns [batch, channels]
 */
export function spatialMean(x: Tensor4D): Tensor2D {
  const [, height, width] = x.shape;
  return average({ x }, { height, width }) as Tensor2D;
}
