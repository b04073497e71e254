import type { Tensor } from './index.js';

/** What something is that should be something else, for messages: `float32 [2, 3]`, `a promise`, `nothing`. */
export function told(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof (value as Promise<unknown>).then === 'function') return 'a promise';
  const { shape, dtype, isDisposed } = value as Partial<Tensor>;
  if (Array.isArray(shape)) return `${isDisposed ? 'disposed ' : ''}${dtype} [${shape.join(', ')}]`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
