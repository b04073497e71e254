import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { caption as captionOf, title } from '../compare/formats.js';
import { compareRuns, type Comparison } from '../compare/group.js';
import { readRuns } from '../compare/read-runs.js';
import type { Estimate } from '../compare/student-t.js';
import type { PlannedPoint, PlannedRun } from './plan.js';
import type { Json, Sweep } from './sweep-file.js';

/** What a point came to, over its finished seeds. */
export interface SweepRow {
  readonly name: string;
  readonly values: Readonly<Record<string, Json>>;
  readonly seeds: readonly number[];
  /** By column; accuracies in [0, 1]. */
  readonly estimates: Readonly<Record<string, Estimate>>;
}

/** A sweep as a table: settings, then accuracies; the best point first. */
export interface SweepTable {
  readonly name: string;
  /** Paths in the config whose values differ. */
  readonly paths: readonly string[];
  /** Labels of accuracies. */
  readonly columns: readonly string[];
  /** The column that points are ranked by: the worst case, or the last attack. */
  readonly rankedBy: string;
  readonly rows: readonly SweepRow[];
  readonly caption: string;
  /** Points without a finished run. */
  readonly missing: readonly string[];
}

const robustColumn = (columns: readonly string[]): string =>
  columns.includes('worst') ? 'worst' : columns.findLast((column) => column !== 'gap')!;

/** The measurement that all runs have, unless they differ in it. */
const compare = (runs: Awaited<ReturnType<typeof readRuns>>, { evaluate }: Sweep): Comparison =>
  compareRuns(runs, { checkpoint: evaluate?.checkpoint ?? 'best' });

/** The table of the finished runs; nothing if there are none. @throws BulwarkError USAGE if they were measured on different images */
export async function sweepTable(
  runs: readonly PlannedRun[],
  given: { sweep: Sweep; points: readonly PlannedPoint[]; warn: (text: string) => void },
): Promise<SweepTable | undefined> {
  const finished = runs.filter(({ folder }) => existsSync(join(folder, 'summary.json')));
  if (finished.length === 0) return undefined;
  const comparison = compare(
    await readRuns(
      finished.map(({ folder }) => folder),
      given.warn,
    ),
    given.sweep,
  );
  const pointAt = new Map(finished.map(({ folder, point }) => [folder, point]));
  const rankedBy = robustColumn(comparison.columns);
  const rows = comparison.rows.map(({ runs: folders, seeds, estimates }): SweepRow => {
    const { name, values } = pointAt.get(folders[0]!)!;
    return { name, values, seeds, estimates };
  });
  const points = [...new Set(runs.map(({ point }) => point))];
  return {
    name: given.sweep.name,
    paths: [...new Set(points.flatMap(({ values }) => Object.keys(values)))],
    columns: comparison.columns,
    rankedBy,
    rows: rows.toSorted((a, b) => (b.estimates[rankedBy]?.mean ?? -1) - (a.estimates[rankedBy]?.mean ?? -1)),
    caption: captionOf(comparison),
    missing: points.filter(({ name }) => !rows.some((row) => row.name === name)).map(({ name }) => name),
  };
}

/** A setting as people read it. */
export const shown = (value: Json | undefined): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);

const points = (estimate: Estimate | undefined) =>
  estimate === undefined
    ? '-'
    : (100 * estimate.mean).toFixed(2) +
      (estimate.halfWidth === undefined ? '' : ` ±${(100 * estimate.halfWidth).toFixed(2)}`);

/** The table as cells. */
export function tableCells({ paths, columns, rows }: SweepTable): { head: string[]; body: string[][] } {
  return {
    head: [...paths, 'seeds', ...columns.map(title)],
    body: rows.map(({ values, seeds, estimates }) => [
      ...paths.map((path) => shown(values[path])),
      String(seeds.length),
      ...columns.map((column) => points(estimates[column])),
    ]),
  };
}

/** The table in Markdown. */
export function tableMarkdown(table: SweepTable): string {
  const { head, body } = tableCells(table);
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = line(head.map((_, i) => (i < table.paths.length ? '---' : '---:')));
  return [line(head), rule, ...body.map(line), '', table.caption, ''].join('\n');
}

/** One row per point, means and half-widths in full precision. */
export const tableRows = ({ paths, columns, rows }: SweepTable): Record<string, string | number | undefined>[] =>
  rows.map(({ name, values, seeds, estimates }) => ({
    point: name,
    ...Object.fromEntries(paths.map((path) => [path, shown(values[path])])),
    seeds: seeds.join(' '),
    ...Object.fromEntries(
      columns.flatMap((column) => [
        [column, estimates[column]?.mean],
        [`${column} half-width`, estimates[column]?.halfWidth],
      ]),
    ),
  }));
