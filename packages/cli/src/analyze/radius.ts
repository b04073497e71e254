import { BulwarkError } from '@bulwark/core';
import { threatText } from '@bulwark/core/threat';
import { lineChart } from '../report/chart/lines.js';
import { panels } from '../report/chart/panels.js';
import type { RunRecord } from '../report/read-run.js';
import { chartsOf, radiusChart } from '../report/sections/radius.js';
import type { Figure } from './write-figure.js';

/** A text in lines that are about as wide as a chart. */
function linesOf(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= 64) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Accuracy over the radius of runs that were evaluated within several. @throws BulwarkError USAGE where none was */
export function radiusFigure(runs: readonly RunRecord[]): Figure {
  const groups = chartsOf(runs);
  if (groups.length === 0)
    throw new BulwarkError('USAGE', 'none of the runs was evaluated within several radii of one norm', {
      hint: 'measure the curve first: bulwark evaluate <run> --epsilons 0,2/255,4/255,8/255',
    });
  const all = groups.flatMap(({ curves }) => curves);
  const size = { width: 380, height: 280 };
  const drawn = groups.map(({ norm, protocol, curves }) => ({
    title: norm,
    subtitle: linesOf(protocol),
    ...radiusChart(curves),
    ...size,
  }));
  const title = 'Accuracy over the radius';
  return {
    rows: all.flatMap(({ run, norm, protocol, points }) =>
      points.map(({ epsilon, accuracy, interval: [low, high] }) => ({
        ...{ run: run.label, method: run.method, measured: protocol, norm, epsilon },
        ...{ radius: threatText({ norm, epsilon }), accuracy, low, high },
      })),
    ),
    data: { curves: all.map(({ run, ...curve }) => ({ run: run.label, method: run.method, ...curve })) },
    chart:
      drawn.length === 1
        ? lineChart({ ...drawn[0]!, title: `${title}, ${groups[0]!.norm}` })
        : panels(drawn, { title, columns: 2 }),
  };
}
