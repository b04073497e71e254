import { pairRows, type Cell, type CollectedRow, type PairedRow } from './collect.js';
import { sameRuns } from './plan.js';
import type { Table } from './table-file.js';

const digits = (value: number, column: string) => value.toFixed(/loss/i.test(column) ? 3 : 2);
const withInterval = (value: { mean: number; halfWidth?: number }, column: string) =>
  digits(value.mean, column) + (value.halfWidth === undefined ? '' : ` ± ${digits(value.halfWidth, column)}`);

const signed = (value: { mean: number; halfWidth?: number }, column: string) =>
  `${value.mean < 0 ? '−' : '+'}${withInterval({ ...value, mean: Math.abs(value.mean) }, column)}`;

/** Whether zero lies outside the interval of the difference. */
export const disagrees = ({ difference }: Cell): boolean =>
  difference?.halfWidth !== undefined && Math.abs(difference.mean) > difference.halfWidth;

export const ours = ({ ours: value, column }: Cell): string => (value ? withInterval(value, column) : '-');
export const published = ({ reference, column }: Cell): string => (reference ? withInterval(reference, column) : '-');
export const difference = (cell: Cell): string =>
  cell.difference ? signed(cell.difference, cell.column) + (disagrees(cell) ? ' !' : '') : '-';

/** Three lines for each row: ours, theirs, and the difference; the last two only where something is published. */
export function tableLines(rows: readonly CollectedRow[]): { head: string[]; body: string[][] } {
  const columns = rows[0]?.cells.map(({ column }) => column) ?? [];
  const grouped = rows.some(({ group }) => group !== undefined);
  const body = rows.flatMap((row) => {
    const { seeds, missing, cells, group = '', label } = row;
    const count = missing.length === 0 ? String(seeds.length) : `${seeds.length} of ${seeds.length + missing.length}`;
    const lead = grouped ? [group, label] : [label];
    const rest = grouped ? ['', ''] : [''];
    const lines = [[...lead, 'ours', count, ...cells.map(ours)]];
    if (cells.some(({ reference }) => reference)) {
      const counts = [...new Set(cells.flatMap(({ reference }) => (reference?.n === undefined ? [] : [reference.n])))];
      lines.push([...rest, 'published', counts.join(', '), ...cells.map(published)]);
      if (seeds.length > 0) lines.push([...rest, 'difference', '', ...cells.map(difference)]);
    }
    return lines;
  });
  return { head: [...(grouped ? ['data'] : []), 'method', '', 'seeds', ...columns], body };
}

/** Differences of rows, seed by seed; `!` where the interval excludes zero. */
export function pairLines(pairs: readonly PairedRow[]): { head: string[]; body: string[][] } {
  const columns = pairs[0]?.cells.map(({ column }) => column) ?? [];
  const mark = ({ mean, halfWidth }: { mean: number; halfWidth?: number }) =>
    halfWidth !== undefined && Math.abs(mean) > halfWidth ? ' !' : '';
  return {
    head: ['difference, seed by seed', 'seeds', ...columns],
    body: pairs.map(({ label, seeds, cells }) => [
      label,
      String(seeds.length),
      ...cells.map(({ column, difference: value }) => signed(value, column) + mark(value)),
    ]),
  };
}

/** What the numbers are and where the others come from. */
export const captions = (table: Table, options: { scale: string; rows: readonly CollectedRow[] }): string[] => {
  const { meaning, checkpoint } = table.scales[options.scale]!;
  const cells = options.rows.flatMap((row) => row.cells);
  const flagged = cells.filter(disagrees).length;
  const judged = cells.filter(({ difference: d }) => d?.halfWidth !== undefined).length;
  return [
    `${meaning} ${checkpoint === 'best' ? 'Best' : 'Last'} checkpoint; accuracies in %; mean ± 95% interval (Student's t over seeds).`,
    ...(cells.some(({ reference }) => reference) ? [`Published: ${table.source}`] : []),
    ...(judged > 0
      ? [
          `${flagged} of ${judged} differences exclude zero at 95% (marked !); ${(0.05 * judged).toFixed(1)} would be expected by chance alone.`,
        ]
      : []),
    ...sameRuns(options.rows),
    ...table.notes,
  ];
};

const markdownTable = ({ head, body }: { head: string[]; body: string[][] }, texts: number): string[] => {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i < texts ? '---' : '---:'))), ...body.map(line)];
};

/** The table in Markdown. */
export function markdown(table: Table, options: { scale: string; rows: readonly CollectedRow[] }): string {
  const lines = tableLines(options.rows);
  const pairs = pairRows(options.rows, table.pairs);
  return [
    `### ${table.title} (${options.scale})`,
    '',
    ...markdownTable(lines, lines.head.length - options.rows[0]!.cells.length - 1),
    '',
    ...captions(table, options).map((text) => `${text}\n`),
    ...(pairs.length > 0 ? [...markdownTable(pairLines(pairs), 1), ''] : []),
  ].join('\n');
}
