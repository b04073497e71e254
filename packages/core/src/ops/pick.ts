import { addN, mul, reshape } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';
import { defineOp } from './op.js';

interface Choice {
  [name: string]: Tensor;
  /** Masks of the first, the second and the third. */
  a: Tensor;
  b: Tensor;
  c: Tensor;
  x: Tensor;
  y: Tensor;
  z: Tensor;
}

/** A mask `[batch]` of 0 and 1 on something of each example. */
const masked = (mask: Tensor, of: Tensor): Tensor =>
  mul(reshape(mask, [mask.size, ...of.shape.slice(1).map(() => 1)]), of);

const choice = defineOp<Choice, object, Tensor>({
  name: 'BulwarkPick',
  composed: ({ a, b, c, x, y, z }) => addN([masked(a, x), masked(b, y), masked(c, z)]),
  gradient: {
    inputsToSave: ['a', 'b', 'c'],
    of: (dy, [a, b, c]) => ({ x: () => masked(a!, dy), y: () => masked(b!, dy), z: () => masked(c!, dy) }),
  },
});

/**
 * Per example one of three tensors, by masks that are constants to differentiation.
 * @param masks three of `[batch]` float32: 1 where the example takes that tensor, else 0
 * @param of three of `[batch, ...]` float32, all of one shape
 * @returns as one of them: their sum, masked
 */
export function pickOf<T extends Tensor>(masks: readonly [Tensor, Tensor, Tensor], of: readonly [T, T, T]): T {
  const [[a, b, c], [x, y, z]] = [masks, of];
  return choice({ a, b, c, x, y, z }, {}) as T;
}
