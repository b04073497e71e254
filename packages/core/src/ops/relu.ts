import { maximum, mul, step } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';
import { defineOp } from './op.js';

/** Gradient of `relu` with respect to its input, of an output's gradient `dy` and the output `y`: `dy` where y > 0, else 0. */
export const reluGrad = defineOp<{ dy: Tensor; y: Tensor }, object, Tensor>({
  name: 'BulwarkReluGrad',
  composed: ({ dy, y }) => mul(dy, step(y)),
});

const rectify = defineOp<{ x: Tensor }, object, Tensor>({
  name: 'BulwarkRelu',
  composed: ({ x }) => maximum(x, 0),
  gradient: {
    // The output tells the sign as well as the input does, and the next layer keeps it anyway.
    outputsToSave: [true],
    of: (dy, [y]) => ({ x: () => reluGrad({ dy, y: y! }, {}) }),
  },
});

/**
 * max(x, 0) per element; the gradient at 0 is 0, as in PyTorch.
 * @param x any shape, float32
 */
export function relu<T extends Tensor>(x: T): T {
  return rectify({ x }, {}) as T;
}
