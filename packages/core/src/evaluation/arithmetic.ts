import { currentSession } from '../engine/current.js';

/** How the engine that is in use rounds, in words, where that is not float32 throughout: `products in TF32`. */
export const arithmeticInUse = (): string | undefined => currentSession()?.arithmetic;

/** As a field of a result of parts, some of which may have been computed otherwise than in float32: whatever any of them was computed in. */
export function arithmeticOf(parts: readonly (string | undefined)[]): { arithmetic?: string } {
  const distinct = [...new Set(parts.flatMap((part) => part?.split('; ') ?? []))];
  return distinct.length > 0 ? { arithmetic: distinct.join('; ') } : {};
}
