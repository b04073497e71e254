import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { writeAtomically } from '@bulwark/core/files';
import { toCsv } from '../logs/csv.js';
import { toPng, toSvg, type Chart } from '../report/chart/render.js';
import type { Output } from '../terminal/output.js';

/** A picture with the numbers behind it. */
export interface Figure {
  /** One row per number shown. */
  readonly rows: readonly Readonly<Record<string, string | number | undefined>>[];
  /** The same with settings, for programs. */
  readonly data: object;
  readonly chart: Chart;
  /** Further pictures by ending of their name, as SVG. */
  readonly pictures?: Readonly<Record<string, string>>;
}

/** Writes `<prefix>.csv`, `.json`, `.svg` and `.png`. @throws BulwarkError RUN_WRITE */
export async function writeFigure(prefix: string, figure: Figure, output: Output): Promise<void> {
  const path = resolve(prefix);
  const svg = await toSvg(figure.chart, 'paper');
  const files: [string, string | Uint8Array][] = [
    [`${path}.csv`, toCsv(figure.rows)],
    [`${path}.json`, `${JSON.stringify(figure.data, null, 2)}\n`],
    [`${path}.svg`, svg],
    [`${path}.png`, toPng(svg)],
    ...Object.entries(figure.pictures ?? {}).flatMap(([name, picture]): [string, string | Uint8Array][] => [
      [`${path}.${name}.svg`, picture],
      [`${path}.${name}.png`, toPng(picture, 1)],
    ]),
  ];
  mkdirSync(dirname(path), { recursive: true });
  for (const [file, content] of files) {
    writeAtomically(file, content);
    output.line(`wrote ${file}`);
  }
  output.result(figure.data);
}
