// What the runs came to: a table in Markdown and a figure, mean over seeds with the range between the lowest and the highest.
import { studentTQuantile } from '../../packages/cli/dist/compare/student-t.js';
import { lineChart } from '../../packages/cli/dist/report/chart/lines.js';
import { looksOf } from '../../packages/cli/dist/report/chart/palette.js';
import { toSvg } from '../../packages/cli/dist/report/chart/render.js';

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and half the width of its 95 % interval over seeds (Student's t); no interval of one seed. */
function summaryOf(values) {
  const m = mean(values);
  const n = values.length;
  if (n < 2) return { mean: m };
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - m) ** 2, 0) / (n - 1));
  return { mean: m, half: (studentTQuantile(0.95, n - 1) * deviation) / Math.sqrt(n) };
}

/** One entry per method and budget, from rows `{ method, budget, seed, steps, passes, clean, robust }`. */
export function summarise(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = `${row.method} @ ${row.budget}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((seeds) => {
    const { method, budget, steps, passes } = seeds[0];
    const robust = seeds.map((row) => row.robust);
    return {
      ...{ method, budget, steps, passes, seeds: seeds.length },
      clean: summaryOf(seeds.map((row) => row.clean)),
      robust: { ...summaryOf(robust), low: Math.min(...robust), high: Math.max(...robust) },
    };
  });
}

const percent = ({ mean: m, half }) =>
  `${(100 * m).toFixed(1)}${half === undefined ? '' : ` ± ${(100 * half).toFixed(1)}`}`;

/** One table per budget, the most robust first. */
export function table(entries) {
  const budgets = [...new Set(entries.map(({ budget }) => budget))].sort((a, b) => a - b);
  return budgets
    .map((budget) => {
      const rows = entries
        .filter((entry) => entry.budget === budget)
        .sort((a, b) => b.robust.mean - a.robust.mean)
        .map(
          ({ method, steps, passes, clean, robust }) =>
            `| ${method} | ${steps} | ${passes.toFixed(2)} | ${percent(clean)} | ${percent(robust)} | ${(100 * robust.low).toFixed(1)} to ${(100 * robust.high).toFixed(1)} |`,
        );
      return [
        `### ${budget} seconds`,
        '',
        '| method | updates | passes over the data | clean, % | AutoAttack, % | lowest to highest seed |',
        '| --- | --- | --- | --- | --- | --- |',
        ...rows,
        '',
      ].join('\n');
    })
    .join('\n');
}

const colours = ['#e69f00', '#56b4e9', '#009e73', '#8a7f00', '#767676', '#cc79a7', '#0072b2', '#d55e00'];

/** Robust accuracy against minutes: a line per method through the means, the range of its seeds behind it. */
export async function figure(entries, { subtitle }) {
  const names = [...new Set(entries.map(({ method }) => method))];
  const looks = looksOf(names.map((label, i) => ({ label, colour: colours[i % colours.length] })));
  const sorted = entries.toSorted((a, b) => a.budget - b.budget);
  const minutes = [...new Set(sorted.map(({ budget }) => Number((budget / 60).toPrecision(2))))];
  const at = ({ method, budget }) => ({ series: method, x: budget / 60 });
  const chart = lineChart({
    title: 'Robustness at equal time of computing',
    subtitle,
    x: { title: 'minutes of training', log: true, values: minutes, domain: [minutes[0] / 1.2, minutes.at(-1) * 1.2] },
    y: { title: 'accuracy under AutoAttack (%)', percent: true },
    points: sorted.map((entry) => ({ ...at(entry), y: entry.robust.mean })),
    bands: sorted.map((entry) => ({ ...at(entry), low: entry.robust.low, high: entry.robust.high })),
    looks,
    width: 520,
    height: 340,
  });
  return toSvg(chart, 'paper');
}
