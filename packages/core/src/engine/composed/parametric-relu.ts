import type { Tensor } from '../../tensor/index.js';
import { parametricRelu } from './activation.js';
import { composed } from './kernel.js';

/** PReLU with slopes of any shape that is broadcast. */
export const parametricReluKernel = composed<{ x: Tensor; alpha: Tensor }, object>('Prelu', ({ x, alpha }) =>
  parametricRelu(x, alpha),
);
