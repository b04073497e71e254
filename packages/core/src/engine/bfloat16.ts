import { fill, ones, tidy } from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { conv2d } from './ops/index.js';

/**
 * Whether the current engine rounds what it multiplies to bfloat16, which keeps 8 binary digits: 1 + 2^-10 becomes 1. oneDNN may
 * be allowed to and still not do it, where the processor has no matrix unit (AMX) for it.
 */
export function multipliesInBfloat16(): boolean {
  return tidy(() => {
    const [side, channels] = [16, 64];
    const x = fill([4, side, side, channels], 1 + 2 ** -10) as Tensor4D;
    const y = conv2d(x, ones([3, 3, channels, channels]), { stride: 1, padding: 0 });
    const exact = 9 * channels * (1 + 2 ** -10);
    return Math.abs(y.dataSync()[0]! - exact) > 0.1;
  });
}
