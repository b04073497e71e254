import { table } from '../terminal/table.js';
import type { CaseResult, VerifyRow } from './types.js';

const number = (value: number) => (Number.isNaN(value) ? '-' : value === 0 ? '0' : value.toExponential(1));

const cells = (name: string, row: VerifyRow) => [
  name,
  row.quantity,
  number(row.absolute),
  number(row.relative),
  row.tolerance,
  row.pass ? 'pass' : 'FAIL',
];

/** The table of all quantities, then the reason of every failure. */
export function reportTable(results: readonly CaseResult[]): string {
  const rows = results.flatMap(({ name, rows: all }) => all.map((row) => cells(name, row)));
  return table(['case', 'quantity', 'absolute', 'relative', 'tolerance', 'result'], rows);
}

export function reasons(results: readonly CaseResult[]): string[] {
  return results.flatMap(({ name, rows }) =>
    rows.filter(({ pass }) => !pass).map(({ quantity, reason }) => `${name}: ${quantity}: ${reason}`),
  );
}

export function summary(results: readonly CaseResult[]): string {
  const passed = results.filter(({ pass }) => pass).length;
  return `${results.length} cases: ${passed} passed, ${results.length - passed} failed`;
}
