import type { PluginSpec } from '../plugins/index.js';

/** What is run at a tier of daily work, and what its figure means. */
export interface Tier {
  readonly attacks: readonly PluginSpec[];
  /** Images at most; default all. */
  readonly images?: number;
  /** One line for results, so that nobody mistakes one tier for another. */
  readonly meaning: string;
}

/** Tiers from the quickest to the most thorough. */
export const tierNames = ['quick', 'fast', 'full'] as const;
/** A tier by its name. */
export type TierName = (typeof tierNames)[number];

/** Three efforts. Only the figure of `full` may be called AutoAttack. */
export const tiers: Readonly<Record<TierName, Tier>> = {
  quick: {
    attacks: [{ use: 'pgd', steps: 20 }],
    images: 500,
    meaning: 'PGD-20 on a subset: an upper bound for watching progress, not to be compared with AutoAttack',
  },
  fast: {
    attacks: [{ use: 'autoattack', version: 'custom', attacks: ['apgd-ce', 'apgd-t'], restarts: 1 }],
    meaning:
      'APGD-CE and APGD-T: in published logs within 0.02 points of AutoAttack standard, at a quarter of its time, but an upper bound',
  },
  full: {
    attacks: [{ use: 'autoattack', version: 'standard' }],
    meaning: 'AutoAttack standard: the figure that papers compare',
  },
};

/**
 * `count` positions spread evenly over `total`, so that a subset of a sorted set still has every class.
 * @example
 * ```ts
 * spread(10, 4); // => [0, 2, 5, 7]
 * ```
 * @category Threat models and attacks
 */
export function spread(total: number, count: number): number[] {
  return count >= total
    ? Array.from({ length: total }, (_, i) => i)
    : Array.from({ length: count }, (_, i) => Math.floor((i * total) / count));
}
