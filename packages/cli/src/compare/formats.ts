import type { Comparison, Row } from './group.js';

export const formats = ['markdown', 'csv', 'latex', 'json'] as const;
export type Format = (typeof formats)[number];

/** A label of an accuracy as the paper writes it. */
export function title(label: string): string {
  if (label === 'clean') return 'Natural';
  if (label === 'gap') return 'Best - last';
  if (label === 'worst') return 'Worst case';
  return label.replace(/^(fgsm|pgd|cw|aa)(?=$|-)/, (name) => name.toUpperCase()).replace(/^autoattack/, 'AutoAttack');
}

const points = (share: number) => (100 * share).toFixed(2);

function cell(row: Row, column: string, plusMinus: string): string {
  const found = row.estimates[column];
  if (!found) return '-';
  return points(found.mean) + (found.halfWidth === undefined ? '' : `${plusMinus}${points(found.halfWidth)}`);
}

/** What the numbers are, in one sentence. */
export const caption = ({ checkpoint, source, split, images, threat, rows, lacking }: Comparison): string => {
  const seeds = [...new Set(rows.map((row) => row.seeds.length))];
  const without = lacking.map(({ run, columns }) => `${columns.map(title).join(', ')} of ${run}`);
  const runs = seeds.length === 1 ? `${seeds[0]} ${seeds[0] === 1 ? 'seed' : 'seeds'} each` : 'seeds as given';
  return `Accuracy in % on ${images} ${split} images, attacks within ${threat}, ${checkpoint} checkpoint (${source}); mean and 95% confidence interval (Student's t), ${runs}.${without.length > 0 ? ` Not measured: ${without.join('; ')}.` : ''}`;
};

function markdown(comparison: Comparison): string {
  const { columns, rows } = comparison;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['Method', 'Seeds', ...columns.map(title)]),
    line(['---', ...['---:'], ...columns.map(() => '---:')]),
    ...rows.map((row) =>
      line([row.method, String(row.seeds.length), ...columns.map((column) => cell(row, column, ' ± '))]),
    ),
    '',
    caption(comparison),
  ].join('\n');
}

const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** One line per method and column, in full precision, for other programs. */
function csv({ columns, rows }: Comparison): string {
  const lines = rows.flatMap((row) =>
    columns.flatMap((column) => {
      const found = row.estimates[column];
      if (!found) return [];
      const { mean, halfWidth, values } = found;
      return [
        [quoted(row.method), column, values.length, mean, halfWidth ?? '', quoted(row.seeds.join(' '))].join(','),
      ];
    }),
  );
  return ['method,column,n,mean,half_width_95,seeds', ...lines].join('\n');
}

const escaped = (text: string) => text.replace(/[&%$#_{}]/g, '\\$&');

function latex(comparison: Comparison): string {
  const { columns, rows } = comparison;
  const row = (cells: readonly string[]) => `  ${cells.join(' & ')} \\\\`;
  return [
    `% ${caption(comparison)}`,
    `\\begin{tabular}{l${'c'.repeat(columns.length)}}`,
    '  \\toprule',
    row(['Method', ...columns.map((column) => escaped(title(column)))]),
    '  \\midrule',
    ...rows.map((r) => row([escaped(r.method), ...columns.map((column) => `$${cell(r, column, ' \\pm ')}$`)])),
    '  \\bottomrule',
    '\\end{tabular}',
  ].join('\n');
}

/** A comparison as text in one of the formats. */
export function render(comparison: Comparison, format: Format): string {
  switch (format) {
    case 'markdown':
      return markdown(comparison);
    case 'csv':
      return csv(comparison);
    case 'latex':
      return latex(comparison);
    case 'json':
      return JSON.stringify(comparison, null, 2);
  }
}
