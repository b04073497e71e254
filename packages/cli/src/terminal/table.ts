import Table from 'cli-table3';

/** A table with a rule under its head, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const right = head.map((_, column) => rows.every((row) => /^[-+\d.,%±s mh]*$/.test(String(row[column] ?? ''))));
  const none = '';
  const view = new Table({
    head: [...head],
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
  const [first = '', ...rest] = view.toString().split('\n');
  return [first, '-'.repeat(Math.max(first.length, ...rest.map((line) => line.length))), ...rest].join('\n');
}
