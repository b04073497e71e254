import { scaled, type Comparison } from '../comparison.js';
import type { Golden } from '../golden.js';

/** Compares one unit file. */
export type UnitRunner = (json: Golden, comparison: Comparison) => void;

/** Tolerance for float32 of the format's README. */
export const unitTolerance = scaled(2e-5);
/** For logits around +-1000, where float32 keeps fewer digits behind the point. */
export const shiftedTolerance = scaled(2e-4);

/** Fields that describe a file and are not compared. */
export const descriptive = ['schema', 'id', 'dtype', 'provenance', 'note', 'name', 'repo', 'symbol', 'rule'];

/** Every field that is neither compared nor descriptive is a failure. */
export function refuseUnknown(comparison: Comparison, json: Golden, known: readonly string[]): void {
  for (const name of Object.keys(json))
    if (!known.includes(name) && !descriptive.includes(name))
      comparison.fail(name, 'a field that this version cannot check');
}
