import type { VerifyRow } from './types.js';

/** How far a value may be from the expected one. */
export interface Tolerance {
  readonly text: string;
  /** Allowed absolute difference at a value, given the largest absolute value of its array. */
  readonly allowed: (expected: number, largest: number) => number;
}

export const exact: Tolerance = { text: 'exact', allowed: () => 0 };
export const within = (absolute: number): Tolerance => ({ text: `${absolute}`, allowed: () => absolute });
export const scaled = (factor: number): Tolerance => ({
  text: `${factor} max(1, |v|)`,
  allowed: (expected) => factor * Math.max(1, Math.abs(expected)),
});
export const ofLargest = (factor: number): Tolerance => ({
  text: `${factor} max|v|`,
  allowed: (_, largest) => factor * largest,
});

type Numbers = ArrayLike<number>;

interface Worst {
  absolute: number;
  /** Largest absolute expected value. */
  largest: number;
  readonly tolerance: string;
  reason?: string;
}

/** Collects differences, one row per quantity however many parts it has. */
export interface Comparison {
  /** Compares numbers; `part` says where in the case they stand. */
  compare(
    at: { quantity: string; part?: string },
    actual: Numbers | number | undefined,
    expected: Numbers | number,
    tolerance: Tolerance,
  ): void;
  /** A quantity that cannot be compared. */
  fail(quantity: string, reason: string): void;
  /** All values finite; for entries that have no exact reference. */
  finite(quantity: string, actual: Numbers): void;
  rows(): VerifyRow[];
}

const asArray = (value: Numbers | number): Numbers => (typeof value === 'number' ? [value] : value);
const largestOf = (values: Numbers) => Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

export function createComparison(): Comparison {
  const found = new Map<string, Worst>();
  const entry = (quantity: string, tolerance: string): Worst => {
    if (!found.has(quantity)) found.set(quantity, { absolute: 0, largest: 0, tolerance });
    return found.get(quantity)!;
  };
  const fail = (quantity: string, reason: string) => {
    const worst = entry(quantity, '-');
    worst.reason ??= reason;
    if (worst.absolute === 0) worst.absolute = NaN;
  };
  return {
    fail,
    compare({ quantity, part }, actual, expected, tolerance) {
      const place = part ?? quantity;
      const [got, wanted] = [actual === undefined ? undefined : asArray(actual), asArray(expected)];
      const worst = entry(quantity, tolerance.text);
      if (!got || got.length !== wanted.length)
        return fail(quantity, `${place}: ${got ? got.length : 'no'} values instead of ${wanted.length}`);
      const largest = largestOf(wanted);
      worst.largest = Math.max(worst.largest, largest);
      for (let i = 0; i < wanted.length; i++) {
        const difference = Math.abs(got[i]! - wanted[i]!);
        const bad = !(difference <= tolerance.allowed(wanted[i]!, largest));
        if (bad) worst.reason ??= `${place}[${i}]: ${got[i]} instead of ${wanted[i]}`;
        if (!(difference <= worst.absolute)) worst.absolute = difference;
      }
    },
    finite(quantity, actual) {
      const worst = entry(quantity, 'finite');
      const bad = Array.from(actual).find((value) => !Number.isFinite(value));
      if (bad !== undefined) worst.reason ??= `${bad} among its values`;
    },
    rows: () =>
      [...found].map(([quantity, { reason, absolute, largest, tolerance }]) => ({
        quantity,
        absolute,
        relative: absolute === 0 ? 0 : absolute / largest,
        tolerance,
        pass: reason === undefined,
        ...(reason !== undefined && { reason }),
      })),
  };
}
