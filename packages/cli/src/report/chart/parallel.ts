import type { Chart } from './render.js';

/** One upright axis of a parallel plot: numbers, or names from the bottom up. */
export interface ParallelAxis {
  readonly title: string;
  readonly log?: boolean;
  /** Values are shares in [0, 1] and shown in percent. */
  readonly percent?: boolean;
  readonly values: readonly (number | string)[];
}

export interface Parallel {
  readonly title?: string;
  readonly subtitle?: string;
  /** The values of an axis have the order of the lines. */
  readonly axes: readonly ParallelAxis[];
  /** What gives a line its colour. */
  readonly colour: { readonly title: string; readonly values: readonly number[] };
  readonly height?: number;
}

interface Tick {
  readonly at: number;
  readonly label: string;
}

const written = (value: number, percent: boolean | undefined) =>
  `${Number((percent ? 100 * value : value).toPrecision(3))}`;

/** Places in [0, 1] of an axis: of each value, and of its labels. */
function placed({ values, log, percent }: ParallelAxis): { places: number[]; ticks: Tick[] } {
  if (values.every((value) => typeof value === 'number')) {
    const scale = log ? Math.log : (value: number) => value;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const place = (value: number) => (high === low ? 0.5 : (scale(value) - scale(low)) / (scale(high) - scale(low)));
    const middle = log ? Math.sqrt(low * high) : (low + high) / 2;
    const distinct = [...new Set(values)];
    const labelled = distinct.length <= (percent ? 3 : 6) ? distinct : [low, middle, high];
    return {
      places: values.map(place),
      ticks: labelled.map((value) => ({ at: place(value), label: written(value, percent) })),
    };
  }
  const names = [...new Set(values.map(String))];
  const place = (name: string) => (names.length === 1 ? 0.5 : names.indexOf(name) / (names.length - 1));
  return {
    places: values.map((value) => place(String(value))),
    ticks: names.map((name) => ({ at: place(name), label: name })),
  };
}

/** Parallel coordinates: a line per setting across one axis per option and result; colour shows what it came to. */
export function parallelChart({ title, subtitle, axes, colour, height = 260 }: Parallel): Chart {
  const columns = axes.map((axis) => ({ title: axis.title, ...placed(axis) }));
  const lines = colour.values.flatMap((value, line) =>
    columns.map(({ title: axis, places }) => ({ line, axis, at: places[line]!, value })),
  );
  const ticks = columns.flatMap(({ title: axis, ticks: labels }) => labels.map((tick) => ({ axis, ...tick })));
  const x = {
    field: 'axis',
    type: 'nominal' as const,
    scale: { domain: columns.map(({ title: axis }) => axis), type: 'point' as const, padding: 0.3 },
    axis: {
      title: null,
      domain: false,
      ticks: false,
      labelAngle: 0,
      orient: 'top' as const,
      labelLimit: 160,
      offset: 14,
    },
  };
  const y = { field: 'at', type: 'quantitative' as const, scale: { domain: [0, 1] }, axis: null };
  const one = colour.values.length === 1;
  return {
    ...(title && { title: { text: title, ...(subtitle && { subtitle }), offset: 12 } }),
    width: Math.max(320, 130 * columns.length),
    height,
    layer: [
      {
        data: { values: columns.map(({ title: axis }) => ({ axis })) },
        mark: { type: 'rule', opacity: 0.35, aria: false },
        encoding: { x },
      },
      {
        data: { values: lines },
        mark: { type: 'line', strokeWidth: 2, opacity: 0.85, interpolate: 'linear' },
        encoding: {
          x,
          y,
          detail: { field: 'line', type: 'nominal' },
          color: {
            field: 'value',
            type: 'quantitative',
            title: colour.title,
            ...(one && { scale: { range: ['#0072b2'] } }),
            legend: one
              ? null
              : { orient: 'right', labelExpr: "format(datum.value * 100, '.3~g')", gradientLength: height - 60 },
          },
        },
      },
      // what lies under a number is pale, so that it can be read over lines
      ...[{ stroke: 'white', strokeWidth: 4 }, {}].map((halo) => ({
        data: { values: ticks },
        mark: { type: 'text' as const, align: 'right' as const, dx: -6, baseline: 'middle' as const, ...halo },
        encoding: { x, y, text: { field: 'label', type: 'nominal' as const } },
      })),
    ],
  };
}
