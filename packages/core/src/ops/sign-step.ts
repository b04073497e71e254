import { add, cast, clipByValue, greater, less, maximum, minimum, mul, sub, zerosLike } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';
import { defineOp } from './op.js';

const sign = defineOp<{ x: Tensor }, object, Tensor>({
  name: 'BulwarkSignOf',
  composed: ({ x }) => sub(cast(greater(x, 0), 'float32'), cast(less(x, 0), 'float32')),
  gradient: { of: (dy) => ({ x: () => zerosLike(dy) }) },
});

const step = defineOp<{ x: Tensor; g: Tensor; origin: Tensor }, { stepSize: number; epsilon: number }, Tensor>({
  name: 'BulwarkSignStep',
  composed: ({ x, g, origin }, { stepSize, epsilon }) => {
    const moved = add(x, mul(signOf(g), stepSize));
    const projected = minimum(maximum(moved, sub(origin, epsilon)), add(origin, epsilon));
    return clipByValue(projected, 0, 1);
  },
});

/**
 * (x > 0) - (x < 0): exactly -1, 0 or 1 (0 for NaN). `tf.sign` is 0 below 1.19e-7 on wasm.
 * @param x any shape, float32
 */
export function signOf<T extends Tensor>(x: T): T {
  return sign({ x }, {}) as T;
}

/**
 * One step of projected gradient ascent in the L-infinity ball (Madry et al., 2018, Section 2.1; arXiv:1706.06083):
 * clip01(clip(x + stepSize sign(g), origin - epsilon, origin + epsilon)). Not differentiable.
 * @param x current point, any shape, float32 in [0, 1]
 * @param g gradient of the loss at x, as x
 * @param options origin: centre of the ball, as x, in [0, 1]; stepSize: negative for descent; epsilon: radius
 * @returns as x, in [0, 1]
 */
export function signStep<T extends Tensor>(x: T, g: T, options: { origin: T; stepSize: number; epsilon: number }): T {
  const { origin, stepSize, epsilon } = options;
  return step({ x, g, origin }, { stepSize, epsilon }) as T;
}
