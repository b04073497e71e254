import Table from 'cli-table3';

/** A table with a rule under its head, numbers to the right; `wrapLast` breaks the last column to the terminal's width. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  options: { wrapLast?: boolean } = {},
): string {
  const right = head.map((_, column) => rows.every((row) => /^[-+\d.,%±s mh]*$/.test(String(row[column] ?? ''))));
  const none = '';
  const widths = head
    .slice(0, -1)
    .map((name, i) => Math.max(name.length, ...rows.map((row) => String(row[i] ?? '').length)));
  const rest = (process.stdout.columns ?? 120) - widths.reduce((sum, width) => sum + width + 2, 0);
  const view = new Table({
    head: [...head],
    ...(options.wrapLast && { colWidths: [...widths, Math.max(rest, 32)], wordWrap: true }),
    colAligns: right.map((isNumber) => (isNumber ? 'right' : 'left')),
    chars: {
      top: none,
      'top-mid': none,
      'top-left': none,
      'top-right': none,
      bottom: none,
      'bottom-mid': none,
      'bottom-left': none,
      'bottom-right': none,
      left: none,
      'left-mid': none,
      mid: none,
      'mid-mid': none,
      right: none,
      'right-mid': none,
      middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  view.push(...rows.map((row) => row.map(String)));
  const [first = '', ...lines] = view.toString().split('\n');
  return [first, '-'.repeat(Math.max(first.length, ...lines.map((line) => line.length))), ...lines].join('\n');
}
