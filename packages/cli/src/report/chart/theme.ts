import type { Config } from 'vega-lite';

/** `paper`: black on white, for files. `page`: takes the colour of the text around it, so that it follows dark mode. */
export type Theme = 'paper' | 'page';

export const sans = 'DejaVu Sans, Verdana, sans-serif';

export function themeConfig(theme: Theme): Config {
  const ink = theme === 'paper' ? '#1c1e21' : 'currentColor';
  const size = theme === 'paper' ? 12 : 11;
  return {
    background: theme === 'paper' ? 'white' : 'transparent',
    font: theme === 'paper' ? sans : 'inherit',
    padding: theme === 'paper' ? 12 : 2,
    view: { stroke: null },
    title: {
      color: ink,
      fontSize: size + 2,
      fontWeight: 600,
      anchor: 'start',
      subtitleColor: ink,
      subtitleFontSize: size,
    },
    axis: {
      labelColor: ink,
      titleColor: ink,
      labelFontSize: size,
      titleFontSize: size,
      titleFontWeight: 'normal',
      titlePadding: 8,
      domainColor: ink,
      domainOpacity: 0.4,
      tickColor: ink,
      tickOpacity: 0.4,
      gridColor: ink,
      gridOpacity: 0.12,
      labelFlush: false,
      labelLimit: 140,
    },
    header: { labelColor: ink, titleColor: ink, labelFontSize: size },
    legend: {
      labelColor: ink,
      titleColor: ink,
      labelFontSize: size,
      titleFontSize: size,
      titleFontWeight: 'normal',
      labelLimit: 260,
      titleLimit: 300,
      symbolOpacity: 1,
      symbolSize: 70,
      symbolStrokeWidth: 2,
    },
    text: { color: ink, fontSize: size },
    rule: { color: ink },
    range: { heatmap: { scheme: 'viridis' }, ramp: { scheme: 'viridis' } },
  };
}
