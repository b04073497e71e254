import { sans } from '../report/chart/theme.js';

/** One picture of a grid with a line of text below it. */
export interface GridCell {
  /** Image as a data address. */
  readonly source: string;
  readonly caption?: string;
}

export interface GridRow {
  readonly name: string;
  readonly cells: readonly GridCell[];
}

const side = 84;
const gap = 10;
const head = 30;
const left = 130;
const line = 18;

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const label = (text: string, at: { x: number; y: number; anchor: 'start' | 'middle' }) =>
  `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor}" font-family="${sans}" font-size="12" fill="#1c1e21">${escape(text)}</text>`;

/** Images in rows and columns with their names, as an SVG document. */
export function imageGrid(columns: readonly string[], rows: readonly GridRow[]): string {
  const x = (column: number) => left + column * (side + gap);
  const y = (row: number) => head + row * (side + line + gap);
  const width = x(columns.length) + gap;
  const height = y(rows.length) + gap;
  const parts = [
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...columns.map((name, c) => label(name, { x: x(c) + side / 2, y: head - 10, anchor: 'middle' })),
    ...rows.flatMap(({ name, cells }, r) => [
      label(name, { x: gap, y: y(r) + side / 2, anchor: 'start' }),
      ...cells.flatMap(({ source, caption }, c) => [
        `<image x="${x(c)}" y="${y(r)}" width="${side}" height="${side}" image-rendering="optimizeSpeed" href="${source}"/>`,
        ...(caption === undefined
          ? []
          : [label(caption, { x: x(c) + side / 2, y: y(r) + side + 14, anchor: 'middle' })]),
      ]),
    ]),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${parts.join('')}</svg>`;
}
