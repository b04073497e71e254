import { quantity, type Axis } from './axis.js';
import { seriesEncoding } from './lines.js';
import type { Look } from './palette.js';
import type { Chart } from './render.js';

/** Quantiles of a distribution at one x. */
export interface Band {
  readonly series: string;
  readonly x: number;
  readonly low: number;
  readonly quarter: number;
  readonly median: number;
  readonly threeQuarters: number;
  readonly high: number;
}

export interface Bands {
  readonly title?: string;
  readonly subtitle?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly bands: readonly Band[];
  readonly looks: ReadonlyMap<string, Look>;
  readonly width?: number;
  readonly height?: number;
}

/** Per x and series a box from the first to the third quarter, a line from 5 % to 95 %, and a dot at the median. */
export function bandChart({ title, subtitle, bands, looks, width = 480, height = 300, ...axes }: Bands): Chart {
  const { color, shape } = seriesEncoding(looks);
  const domain = [...looks.keys()];
  const shift = (series: string) => (domain.indexOf(series) - (domain.length - 1) / 2) * (0.7 / domain.length);
  const values = bands.map((band) => ({ ...band, x: band.x + shift(band.series) }));
  const x = quantity('x', axes.x);
  const y = (field: string) => quantity(field, axes.y);
  return {
    ...(title && { title: { text: title, ...(subtitle && { subtitle }) } }),
    width,
    height,
    data: { values },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 1.5, aria: false },
        encoding: { x, y: y('low'), y2: { field: 'high' }, color },
      },
      {
        mark: { type: 'rule', strokeWidth: 7, opacity: 0.45, aria: false },
        encoding: { x, y: y('quarter'), y2: { field: 'threeQuarters' }, color },
      },
      {
        mark: { type: 'point', filled: true, size: 45, opacity: 1 },
        encoding: { x, y: y('median'), color, shape },
      },
    ],
  };
}
