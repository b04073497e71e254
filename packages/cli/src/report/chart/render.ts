import { createRequire } from 'node:module';
import type { Resvg as Renderer } from '@resvg/resvg-js';
import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { textWidth } from './text-width.js';
import { sans, themeConfig, type Theme } from './theme.js';

interface TextItem {
  readonly text?: unknown;
  readonly fontSize?: number;
  readonly fontWeight?: string | number;
}

// vega's own estimate, where it finds no canvas, is half as wide again as the text
const { textMetrics } = vega as unknown as { textMetrics: { width: (item: TextItem, text?: unknown) => number } };
textMetrics.width = (item, text = item.text) =>
  textWidth(String(text ?? ''), {
    size: item.fontSize ?? 11,
    bold: item.fontWeight === 'bold' || Number(item.fontWeight) >= 600,
  });

/** A chart without its look: what vega-lite draws. */
export type Chart = TopLevelSpec;

/** Draws a chart as an SVG document. */
export async function toSvg(chart: Chart, theme: Theme): Promise<string> {
  const { spec } = compile(chart, { config: themeConfig(theme), logger: vega.logger(vega.Error) });
  const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

let numbered = 0;

/** Draws a chart to be put into a page: identifiers of its own, a name for screen readers, values of points as tooltips. */
export async function toInlineSvg(chart: Chart, name: string): Promise<string> {
  const svg = await toSvg(chart, 'page');
  const prefix = `c${++numbered}-`;
  return svg
    .replace(
      /^<svg([^>]*?) width="([\d.]+)" height="([\d.]+)"/,
      // a function: in a text of replacement, a name with dollar signs would bring in other parts of the drawing
      (_whole, before: string, width: string, height: string) =>
        `<svg${before} role="img" aria-label="${escape(name)}" width="${width}" height="${height}"`,
    )
    .replace(/\bid="/g, `id="${prefix}`)
    .replace(/url\(#/g, `url(#${prefix}`)
    .replace(/ role="graphics-symbol" aria-roledescription="[^"]*"/g, '')
    .replace(/(<path aria-label="([^"]*)"[^>]*?)(?:\/>|><\/path>)/g, '$1><title>$2</title></path>');
}

const escape = (text: string) =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);

const require = createRequire(import.meta.url);
const fonts = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

/** Draws an SVG of the paper theme as PNG, `zoom` times its size, with a font that comes along: the same on every machine. */
export function toPng(svg: string, zoom = 2): Uint8Array {
  const fontFiles = fonts.map((file) => require.resolve(`dejavu-fonts-ttf/ttf/${file}`));
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: sans.split(',')[0]! };
  // only here: its native part is an optional dependency of its own, and everything else works without
  const { Resvg } = require('@resvg/resvg-js') as { Resvg: typeof Renderer };
  return new Resvg(svg, { fitTo: { mode: 'zoom', value: zoom }, font }).render().asPng();
}
