import { quantity, type Axis } from './axis.js';
import type { Look } from './palette.js';
import type { Chart } from './render.js';

export interface LinePoint {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  /** Written beside the point. */
  readonly note?: string;
}

/** What lies around a line at one x, such as the lowest and the highest of several seeds. */
export interface LineBand {
  readonly series: string;
  readonly x: number;
  readonly low: number;
  readonly high: number;
}

export interface Lines {
  readonly title?: string;
  /** Several lines where it is long. */
  readonly subtitle?: string | readonly string[];
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly LinePoint[];
  /** Looks by series; the legend has their order. */
  readonly looks: ReadonlyMap<string, Look>;
  /** Areas behind the lines. */
  readonly bands?: readonly LineBand[];
  /** False: points only. */
  readonly joined?: boolean;
  /** Vertical rules with a name, such as the best epoch. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  readonly width?: number;
  readonly height?: number;
}

const sizes = { width: 340, height: 250 };

/** Colour, dash and shape by series; the legend shows colour and shape. */
export function seriesEncoding(looks: ReadonlyMap<string, Look>) {
  const domain = [...looks.keys()];
  const of = (key: keyof Look) => domain.map((name) => looks.get(name)![key]);
  const longest = Math.max(...domain.map((name) => name.length), 1);
  const columns = Math.max(1, Math.min(4, Math.floor(44 / (longest + 4))));
  const legend = { orient: 'bottom' as const, title: null, columns };
  const by = { field: 'series', type: 'nominal' as const, legend, sort: null };
  return {
    color: { ...by, scale: { domain, range: of('colour') as string[] } },
    strokeDash: { ...by, legend: null, scale: { domain, range: of('dash') as number[][] } },
    shape: { ...by, scale: { domain, range: of('shape') as string[] } },
  };
}

/** A line with points per series, in the order of the points. */
export function lineChart(chart: Lines): Chart {
  const {
    title,
    subtitle,
    points,
    looks,
    joined = true,
    marks = [],
    bands = [],
    width = sizes.width,
    height = sizes.height,
  } = chart;
  const { color, strokeDash, shape } = seriesEncoding(looks);
  const many = new Set(points.map(({ x }) => x)).size > 40;
  const position = { x: quantity('x', chart.x), y: quantity('y', chart.y) };
  return {
    ...(title && {
      title: { text: title, ...(subtitle && { subtitle: typeof subtitle === 'string' ? subtitle : [...subtitle] }) },
    }),
    width,
    height,
    // a title may be wider than the chart, which fitting would shrink the chart for
    ...(!title && { autosize: { type: 'fit' as const, contains: 'padding' as const } }),
    data: {
      values: points
        .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
        .map((point, order) => ({ ...point, order })),
    },
    // or dashes join the legend and break up the outlines of its symbols
    resolve: { legend: { strokeDash: 'independent' } },
    layer: [
      ...(marks.length === 0
        ? []
        : [
            {
              data: { values: [...marks] },
              mark: { type: 'rule' as const, strokeDash: [3, 3], opacity: 0.6 },
              encoding: { x: quantity('x', chart.x) },
            },
            {
              data: { values: [...marks] },
              mark: { type: 'text' as const, align: 'left' as const, dx: 3, dy: -5, y: 0 },
              encoding: { x: quantity('x', chart.x), text: { field: 'label', type: 'nominal' as const } },
            },
          ]),
      ...(bands.length === 0
        ? []
        : [
            {
              data: { values: [...bands] },
              mark: { type: 'area' as const, opacity: 0.18, aria: false },
              encoding: {
                x: quantity('x', chart.x),
                y: quantity('low', chart.y),
                y2: { field: 'high' },
                color,
              },
            },
          ]),
      ...(joined
        ? [
            {
              mark: { type: 'line' as const, strokeWidth: 2, aria: false },
              encoding: {
                ...position,
                color,
                strokeDash,
                order: { field: 'order', type: 'quantitative' as const },
              },
            },
          ]
        : []),
      ...(many
        ? []
        : [
            {
              mark: { type: 'point' as const, filled: true, size: 44, opacity: 1 },
              encoding: { ...position, color, shape },
            },
          ]),
      ...(points.some(({ note }) => note !== undefined)
        ? [
            {
              mark: { type: 'text' as const, align: 'left' as const, dx: 7, dy: -7 },
              transform: [{ filter: 'isValid(datum.note)' }],
              encoding: { ...position, text: { field: 'note', type: 'nominal' as const } },
            },
          ]
        : []),
    ],
  };
}
