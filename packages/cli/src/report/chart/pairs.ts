import { quantity, type Axis } from './axis.js';
import { seriesEncoding } from './lines.js';
import type { Look } from './palette.js';
import type { Chart } from './render.js';

/** Two or more values per row, joined by a rule: clean and robust accuracy per class, for example. */
export interface Pairs {
  readonly rows: readonly {
    readonly name: string;
    readonly values: Readonly<Record<string, number>>;
    /** Where a value may lie as well, by its name. */
    readonly intervals?: Readonly<Record<string, readonly [number, number]>>;
  }[];
  readonly x: Axis;
  readonly looks: ReadonlyMap<string, Look>;
  readonly width?: number;
}

/** One line per row, in the given order. */
export function pairChart({ rows, x, looks, width = 340 }: Pairs): Chart {
  const { color, shape } = seriesEncoding(looks);
  const names = rows.map(({ name }) => name);
  const values = rows.flatMap(({ name, values, intervals }) =>
    Object.entries(values).map(([series, value]) => {
      const [low, high] = intervals?.[series] ?? [value, value];
      return { name, series, x: value, low, high };
    }),
  );
  const y = { field: 'name', type: 'nominal' as const, title: null, scale: { domain: names }, axis: { grid: true } };
  return {
    width,
    height: 60 + 20 * rows.length,
    autosize: { type: 'fit', contains: 'padding' },
    data: { values },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.35, aria: false },
        encoding: {
          y,
          x: { aggregate: 'min', field: 'x', type: 'quantitative' },
          x2: { aggregate: 'max', field: 'x' },
        },
      },
      {
        mark: { type: 'rule', strokeWidth: 7, opacity: 0.25, aria: false },
        encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' }, color },
      },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { y, x: quantity('x', x), color, shape },
      },
    ],
  };
}
