import { BulwarkError } from '@bulwark/core';
import { accuracyRows, type AccuracyRow } from '../report/accuracy.js';
import { lineChart } from '../report/chart/lines.js';
import { looksOf, methodColour } from '../report/chart/palette.js';
import type { RunRecord } from '../report/read-run.js';
import type { Figure } from './write-figure.js';

/** How a row was measured: only equal ones go into one picture. */
const protocol = ({ tier, attacks, threat, images, complete }: AccuracyRow) =>
  complete ? `tier ${tier}, ${attacks.join(', ')}, ${threat}, ${images} images` : undefined;

/** The most thorough measurement that all runs have, of the checkpoint that validation chose. @throws BulwarkError USAGE */
function sharedRows(runs: readonly RunRecord[]): { shared: string; rows: AccuracyRow[] } {
  const chosen = (run: RunRecord) =>
    accuracyRows(run).filter(({ checkpoint }) => checkpoint.startsWith('best') || !run.summary?.best);
  const all = runs.map(chosen);
  for (const candidate of all[0] ?? []) {
    const shared = protocol(candidate);
    const rows = all.map((rows) => rows.find((row) => protocol(row) === shared));
    if (shared !== undefined && rows.every((row) => row !== undefined)) return { shared, rows };
  }
  throw new BulwarkError(
    'USAGE',
    'the runs have no measurement in common: same tier, attacks, radius and number of images',
    {
      hint: 'run `bulwark evaluate` with the same options on each of them, or let them finish',
    },
  );
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

interface Setting {
  readonly series: string;
  readonly method: string;
  readonly discrepancy?: string;
  readonly beta?: number;
}

/** What stands on the trade-off's curve: method and discrepancy make the curve, beta the place on it. */
function settingOf({ config, method }: RunRecord): Setting {
  const { beta, discrepancy } = config.objective as { beta?: number; discrepancy?: string };
  return {
    series: discrepancy === undefined ? method : `${method}, ${discrepancy}`,
    method,
    ...(discrepancy !== undefined && { discrepancy }),
    ...(beta !== undefined && { beta }),
  };
}

/** Clean against robust accuracy over beta, by objective and discrepancy (Figure 6 of Li et al., 2023; arXiv:2205.11156). */
export function tradeOffFigure(runs: readonly RunRecord[]): Figure {
  const { shared, rows } = sharedRows(runs);
  const groups = new Map<string, { setting: Setting; rows: AccuracyRow[] }>();
  for (const row of rows) {
    const setting = settingOf(row.run);
    const key = JSON.stringify(setting);
    groups.set(key, { setting, rows: [...(groups.get(key)?.rows ?? []), row] });
  }
  const found = [...groups.values()]
    .map(({ setting, rows }) => ({
      ...setting,
      seeds: rows.length,
      clean: mean(rows.map(({ clean }) => clean.share)),
      robust: mean(rows.map(({ robust }) => robust.share)),
      runs: rows.map(({ run, clean, robust }) => ({ run: run.label, seed: run.config.seed, clean, robust })),
    }))
    .sort((a, b) => (a.beta ?? 0) - (b.beta ?? 0));
  const series = [...new Map(found.map(({ series, method }) => [series, method]))];
  return {
    rows: found.map(({ method, discrepancy, beta, seeds, clean, robust, runs }) => ({
      ...{ method, discrepancy, beta, seeds, clean, robust },
      // of one run; of several seeds, their spread says more
      ...(runs.length === 1 && {
        'robust low': runs[0]!.robust.interval[0],
        'robust high': runs[0]!.robust.interval[1],
      }),
    })),
    data: { measured: shared, settings: found },
    chart: lineChart({
      title: 'Clean against robust accuracy',
      subtitle: `numbers are beta; ${shared}`,
      x: { title: 'clean accuracy (%)', percent: true },
      y: { title: 'robust accuracy (%)', percent: true },
      points: found.map(({ series, clean, robust, beta }) => ({
        series,
        x: clean,
        y: robust,
        ...(beta !== undefined && { note: String(beta) }),
      })),
      looks: looksOf(series.map(([label, method]) => ({ label, colour: methodColour(method) }))),
      width: 520,
      height: 380,
    }),
  };
}
