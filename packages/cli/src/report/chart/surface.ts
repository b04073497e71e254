import { quantity, type Axis } from './axis.js';
import type { Chart } from './render.js';

/** A value over a plane; `z[row][column]` belongs to `at[column]` across and `at[row]` up. */
export interface Surface {
  readonly name: string;
  readonly at: readonly number[];
  readonly z: readonly (readonly number[])[];
}

export interface SurfaceChart {
  readonly title?: string;
  readonly subtitle?: string;
  readonly surfaces: readonly Surface[];
  readonly x: Axis;
  readonly y: Axis;
  /** What the colour shows, with its unit. */
  readonly z: string;
  readonly width?: number;
}

const half = (at: readonly number[]) => (at[1]! - at[0]!) / 2;

/** Cells reach a little under their neighbours, or seams show between them. */
const overlap = 1.06;

/** Surfaces side by side on one colour scale, each with a cross at the origin. */
export function surfaceChart({ title, subtitle, surfaces, x, y, z, width = 230 }: SurfaceChart): Chart {
  const highest = Math.max(...surfaces.flatMap((surface) => surface.z.flat()));
  const edges = (axis: Axis, at: readonly number[]): Axis => ({
    ...axis,
    domain: [at[0]! - half(at), at.at(-1)! + half(at)],
  });
  const shade = {
    field: 'z',
    type: 'quantitative' as const,
    title: z,
    scale: { scheme: 'viridis' as const, domain: [0, highest] },
  };
  return {
    ...(title && { title: { text: title, ...(subtitle && { subtitle }), offset: 12 } }),
    spacing: 25,
    hconcat: surfaces.map((surface) => {
      const { at } = surface;
      const cells = surface.z.flatMap((row, r) =>
        row.map((value, c) => ({
          x: at[c]! - half(at),
          x2: at[c]! + half(at) * overlap,
          y: at[r]! - half(at),
          y2: at[r]! + half(at) * overlap,
          z: value,
        })),
      );
      const position = { x: quantity('x', edges(x, at)), y: quantity('y', edges(y, at)) };
      return {
        title: { text: surface.name, anchor: 'middle' as const },
        width,
        height: width,
        data: { values: cells },
        layer: [
          {
            mark: { type: 'rect' as const, aria: false, clip: true },
            encoding: {
              ...position,
              x2: { field: 'x2' },
              y2: { field: 'y2' },
              color: shade,
            },
          },
          {
            data: { values: [{ x: 0, y: 0 }] },
            mark: {
              type: 'point' as const,
              shape: 'cross',
              size: 90,
              filled: true,
              color: 'white',
              stroke: 'black',
              strokeWidth: 1,
            },
            encoding: position,
          },
        ],
      };
    }),
  } as Chart;
}
