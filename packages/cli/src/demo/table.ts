import { duration, percent } from '../terminal/output.js';
import { table } from '../terminal/table.js';
import type { DemoResult } from './run-method.js';

/** Method x clean x attacks, accuracies in percent, and what an epoch costs. */
export function demoTable(results: readonly DemoResult[]): string {
  const columns = Object.keys(results[0]?.accuracy ?? {});
  const rows = results.map(({ method, accuracy, secondsPerEpoch }) => [
    method,
    ...columns.map((column) => percent(accuracy[column])),
    duration(secondsPerEpoch),
  ]);
  return table(['method', ...columns.map((column) => `${column} %`), 'time/epoch'], rows);
}
