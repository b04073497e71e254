import { threatText } from '@bulwark/core/threat';
import { duration } from '../../terminal/output.js';
import { html, type Html } from '../page/html.js';
import { htmlTable } from '../page/table.js';
import type { RunRecord } from '../read-run.js';
import { named, trainingSeconds } from './summary.js';

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Time of training and of attacking, as measured on the machines that did it. */
export function costSection(runs: readonly RunRecord[]): Html {
  const training = runs.map((run) => {
    const { timings, frozen, metrics } = run;
    const rate = median(timings.map(({ imagesPerSecond }) => imagesPerSecond));
    return [
      named(run),
      frozen.engine,
      metrics.length,
      duration(median(timings.map(({ seconds }) => seconds))),
      Number.isFinite(rate) ? rate.toFixed(0) : '-',
      duration(trainingSeconds(run)),
    ];
  });
  const attacks = runs.flatMap((run) =>
    run.evaluations.flatMap(({ result }) =>
      result.attacks.map(({ label, ensemble, attacked, seconds, accuracy }) => [
        named(run),
        threatText(result.threat),
        result.tier,
        ensemble === undefined ? label : `${ensemble} / ${label}`,
        attacked,
        (100 * accuracy).toFixed(2),
        duration(seconds),
      ]),
    ),
  );
  const columns = [
    'run',
    'threat',
    'tier',
    'attack',
    { number: 'images' },
    { number: 'accuracy after it %' },
    { number: 'time' },
  ];
  return html`<h2>Cost</h2>
    ${htmlTable(
      [
        'run',
        'engine',
        { number: 'epochs' },
        { number: 'time per epoch (median)' },
        { number: 'images/s' },
        { number: 'training in all' },
      ],
      training,
    )}
    ${
      attacks.length > 0 &&
      html`<h3>Attacks</h3>
        ${htmlTable(columns, attacks)}`
    }`;
}
