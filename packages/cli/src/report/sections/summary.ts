import { accuracyRows } from '../accuracy.js';
import { methodColour } from '../chart/palette.js';
import { html, type Html } from '../page/html.js';
import { points, withInterval } from '../page/numbers.js';
import { htmlTable } from '../page/table.js';
import type { RunRecord } from '../read-run.js';
import { duration } from '../../terminal/output.js';

export const trainingSeconds = ({ timings }: RunRecord): number =>
  timings.reduce((sum, { seconds }) => sum + seconds, 0);

const fact = (value: string, name: string) => html`<div><b>${value}</b><span>${name}</span></div>`;

/** The run's name with a spot of its method's colour. */
export const named = (run: RunRecord): Html =>
  html`<span class="swatch" style="background:${methodColour(run.method)}"></span>${run.label}`;

export const radius = ({ config: { threat } }: RunRecord): string =>
  `${threat.norm} ${Number((threat.epsilon * 255).toFixed(3))}/255`;

/** One run in a few numbers: the most thorough figure that there is. */
function facts(run: RunRecord): Html {
  const [row] = accuracyRows(run);
  const { metrics, config, summary } = run;
  const latest = metrics.findLast(({ validation }) => validation)?.validation;
  const measured = row
    ? [
        fact(`${points(row.clean.share)} %`, `clean accuracy, ${row.images} images`),
        fact(`${points(row.robust.share)} %`, `robust accuracy, ${row.attacks.join(', ')} (tier ${row.tier})`),
      ]
    : Object.entries(latest ?? {}).map(([name, value]) => fact(`${points(value)} %`, `${name}, validation`));
  return html`<div class="facts">
    ${measured}
    ${summary?.gap !== undefined && fact(`${points(summary.gap)}`, 'robust overfitting, points (best less last)')}
    ${fact(`${metrics.length} of ${config.epochs}`, 'epochs')} ${fact(duration(trainingSeconds(run)), 'training time')}
  </div>`;
}

const describe = (run: RunRecord): Html => {
  const { config, frozen } = run;
  return html`<p>
    ${named(run)}: method <b>${run.method}</b> on ${config.data.use}, model ${config.model.use}, threat ${radius(run)},
    seed ${config.seed}, engine
    ${frozen.engine}${frozen.arithmetic && `, ${frozen.arithmetic}`}${run.metrics.length < config.epochs && html`, <b>not finished</b>`}
  </p>`;
};

/** Head of the report: what was run, and what came out. */
export function summarySection(runs: readonly RunRecord[]): Html {
  return html`${runs.map(describe)} ${runs.length === 1 && facts(runs[0]!)}`;
}

const tierNote = html`<p class="soft">
  In brackets the 95 % interval for this number of images (Wilson). Tiers: <b>full</b> is AutoAttack standard, the
  figure that papers compare; <b>fast</b> and <b>quick</b> attack with less and are upper bounds; <b>own test</b> is
  what the run measured when it ended, with the attack of its validation. Figures of different tiers do not compare.
</p>`;

/** Clean and robust accuracy of every run, with tier, images and intervals. */
export function accuracySection(runs: readonly RunRecord[]): Html {
  const rows = runs.flatMap(accuracyRows);
  if (rows.length === 0)
    return html`<h2>Accuracy</h2>
      <p>
        Nothing measured yet: let the run finish, or attack it with <code>bulwark evaluate ${runs[0]!.path}</code>.
      </p>`;
  const table = htmlTable(
    ['run', 'checkpoint', 'tier', { number: 'images' }, { number: 'clean %' }, { number: 'robust %' }, 'attacks'],
    rows.map(({ run, checkpoint, tier, complete, images, clean, robust, attacks }) => [
      named(run),
      checkpoint,
      complete ? tier : `${tier}, not finished`,
      images,
      withInterval(clean),
      withInterval(robust),
      attacks.join(', '),
    ]),
  );
  return html`<h2>Accuracy</h2>
    ${table} ${tierNote}`;
}
