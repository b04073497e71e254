import { lineChart, type Lines } from './lines.js';
import type { Chart } from './render.js';

/** Line charts in a grid. `shared`: they show the same series, with one legend. */
export function panels(
  charts: readonly Lines[],
  options: { title?: string; subtitle?: string; columns: number; shared?: boolean },
): Chart {
  const { title, subtitle, columns, shared = false } = options;
  const resolve = shared ? 'shared' : 'independent';
  const each = { color: resolve, shape: resolve, strokeDash: resolve };
  return {
    ...(title && { title: { text: title, ...(subtitle && { subtitle }), offset: 12 } }),
    concat: charts.map((chart) => {
      const { autosize: _, ...spec } = lineChart(chart) as Chart & { autosize?: unknown };
      return spec;
    }),
    columns,
    spacing: 30,
    resolve: { scale: each, legend: { ...each, strokeDash: 'independent' } },
  } as Chart;
}
