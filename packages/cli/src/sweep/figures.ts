import type { Figure } from '../analyze/write-figure.js';
import { title } from '../compare/formats.js';
import { lineChart } from '../report/chart/lines.js';
import { looksOf, methodColour } from '../report/chart/palette.js';
import { parallelChart, type ParallelAxis } from '../report/chart/parallel.js';
import type { Json, Search } from './sweep-file.js';
import { shown, tableRows, type SweepRow, type SweepTable } from './table.js';

const lastWord = (path: string) => path.split('.').at(-1)!;

/** Values that all are numbers, also where some are written as fractions. */
function numeric(values: readonly (Json | undefined)[]): number[] | undefined {
  const numbers = values.map((value) => {
    const [, above, below] = typeof value === 'string' ? (/^(-?[\d.]+)\s*\/\s*([\d.]+)$/.exec(value) ?? []) : [];
    return above === undefined ? (typeof value === 'number' ? value : NaN) : Number(above) / Number(below);
  });
  return numbers.every(Number.isFinite) ? numbers : undefined;
}

const rowsWith = ({ rows, rankedBy }: SweepTable): SweepRow[] =>
  rows.filter(({ estimates }) => estimates['clean'] !== undefined && estimates[rankedBy] !== undefined);

/** Clean against robust accuracy, a dot per point; along a curve where a single number is what differs. */
export function tradeOff(table: SweepTable): Figure | undefined {
  const rows = rowsWith(table);
  const { paths, rankedBy } = table;
  if (rows.length < 2 || rankedBy === 'clean') return undefined;
  const numbers = paths.filter((path) => numeric(rows.map(({ values }) => values[path])));
  const names = paths.filter((path) => !numbers.includes(path));
  const seriesOf = (row: SweepRow) => names.map((path) => shown(row.values[path])).join(', ') || table.name;
  const along = numbers.length === 1 ? numeric(rows.map(({ values }) => values[numbers[0]!]))! : undefined;
  const points = rows.map((row, i) => ({
    series: seriesOf(row),
    x: row.estimates['clean']!.mean,
    y: row.estimates[rankedBy]!.mean,
    note: numbers.map((path) => shown(row.values[path])).join(', '),
    order: along?.[i] ?? 0,
  }));
  const series = [...new Set(points.map((point) => point.series))];
  return {
    rows: tableRows(table),
    data: table,
    chart: lineChart({
      title: 'Clean against robust accuracy',
      subtitle: numbers.length === 0 ? table.caption.split(';')[0]! : `numbers are ${numbers.map(lastWord).join(', ')}`,
      x: { title: 'clean accuracy (%)', percent: true },
      y: { title: `${title(rankedBy)} accuracy (%)`, percent: true },
      joined: along !== undefined,
      points: points.toSorted((a, b) => a.order - b.order).map(({ order: _, ...point }) => point),
      looks: looksOf(series.map((label) => ({ label, colour: methodColour(label) }))),
      width: 520,
      height: 380,
    }),
  };
}

/** Options and results side by side, a line per point. */
export function parallel(table: SweepTable, search: Search): Figure | undefined {
  const rows = rowsWith(table);
  const { paths, rankedBy } = table;
  if (rows.length < 2 || paths.length === 0) return undefined;
  const spaces = search.use === 'list' ? {} : search.over;
  const isLog = (path: string) => (spaces as Record<string, { scale?: string }>)[path]?.scale === 'log';
  const options = paths.map((path): ParallelAxis => {
    const values = rows.map(({ values }) => values[path]);
    return { title: lastWord(path), log: isLog(path), values: numeric(values) ?? values.map(shown) };
  });
  const share = (column: string) => rows.map(({ estimates }) => estimates[column]!.mean);
  const results = [...new Set(['clean', rankedBy])].map((column): ParallelAxis => ({
    title: `${title(column)} %`,
    percent: true,
    values: share(column),
  }));
  return {
    rows: tableRows(table),
    data: table,
    chart: parallelChart({
      title: `Settings of ${table.name} and what they came to`,
      axes: [...options, ...results],
      colour: { title: `${title(rankedBy)} %`, values: share(rankedBy) },
    }),
  };
}
