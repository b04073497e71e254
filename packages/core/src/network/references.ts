import type { Tensor } from '../tensor/index.js';

/** Counts how often tensors are held, and frees those that nobody holds any more. */
export interface References {
  hold(tensor: Tensor): void;
  release(tensor: Tensor): void;
}

/** @param foreign tensors of others, which are never freed */
export function references(foreign: readonly Tensor[]): References {
  const counts = new Map<Tensor, number>(foreign.map((tensor) => [tensor, Infinity]));
  return {
    hold(tensor) {
      counts.set(tensor, (counts.get(tensor) ?? 0) + 1);
    },
    release(tensor) {
      const left = (counts.get(tensor) ?? 1) - 1;
      if (left > 0) counts.set(tensor, left);
      else {
        counts.delete(tensor);
        tensor.dispose();
      }
    },
  };
}
