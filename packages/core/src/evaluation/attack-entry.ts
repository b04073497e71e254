import type { Attack } from '../hooks/index.js';
import { violations } from './recheck.js';
import type { AttackEntry } from './result.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An entry while its attack is run. */
export type Entry = Mutable<AttackEntry>;

/** The entry of an attack that has not begun, for so many examples. */
export const emptyEntry = (attack: Attack, ensemble: string | undefined, count: number): Entry => ({
  label: attack.label,
  ...(ensemble === undefined ? {} : { ensemble }),
  settings: JSON.parse(JSON.stringify(attack.settings ?? {})) as Record<string, unknown>,
  done: false,
  flags: '.'.repeat(count),
  accuracy: 0,
  seconds: 0,
  attacked: 0,
  linf: { max: 0, mean: 0 },
  l2: { max: 0, mean: 0 },
  l1: { max: 0, mean: 0 },
  rejected: Object.fromEntries(violations.map((violation) => [violation, 0])),
  zeroGradients: 0,
  ...(attack.minimumNorm && {
    distances: new Array<number | null>(count).fill(null),
    classes: new Array<number | null>(count).fill(null),
  }),
});

/** Whether two entries are of the same attack, made in the same way. */
export const isSameAttack = (a: AttackEntry, b: AttackEntry | undefined): boolean =>
  a.label === b?.label && a.ensemble === b.ensemble && JSON.stringify(a.settings) === JSON.stringify(b.settings);

/** Adds a number to a running maximum and mean over `count` numbers so far. */
export const include = (size: { max: number; mean: number }, value: number, count: number) => ({
  max: Math.max(size.max, value),
  mean: size.mean + (value - size.mean) / (count + 1),
});

/** Smallest and largest of several ranges of pixels. */
export const spanOf = (ranges: readonly { min: number; max: number }[]): { min: number; max: number } => ({
  min: Math.min(...ranges.map(({ min }) => min)),
  max: Math.max(...ranges.map(({ max }) => max)),
});
