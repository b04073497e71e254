import { accuracyRows, type AccuracyRow } from '../accuracy.js';
import { methodColour } from '../chart/palette.js';
import { html, type Html } from '../page/html.js';
import { points, withInterval } from '../page/numbers.js';
import { htmlTable } from '../page/table.js';
import type { RunRecord } from '../read-run.js';
import { duration } from '../../terminal/output.js';
import { groupRuns, type RunGroup } from '../groups.js';
import { listed, radius } from './measured.js';

export const trainingSeconds = ({ timings }: RunRecord): number =>
  timings.reduce((sum, { seconds }) => sum + seconds, 0);

const fact = (value: string, name: string) => html`<div><b>${value}</b><span>${name}</span></div>`;

/** The run's name with a spot of its method's colour. */
export const named = (run: RunRecord): Html =>
  html`<span class="swatch" style="background:${methodColour(run.method)}"></span>${run.label}`;

/** One run in a few numbers: the most thorough figure that there is. */
function facts(run: RunRecord): Html {
  const [row] = accuracyRows(run);
  const { metrics, config, summary } = run;
  const latest = metrics.findLast(({ validation }) => validation)?.validation;
  const measured = row
    ? [
        fact(`${points(row.clean.share)} %`, `clean accuracy, ${row.images} images`),
        fact(
          `${points(row.robust.share)} %`,
          `robust accuracy, ${row.attacks.join(', ')}, ${row.threat}, ${row.images} images (tier ${row.tier})`,
        ),
      ]
    : Object.entries(latest ?? {}).map(([name, value]) => fact(`${points(value)} %`, `${name}, validation`));
  return html`<div class="facts">
    ${measured}
    ${summary?.gap !== undefined && fact(`${points(summary.gap)}`, 'robust overfitting, points (best minus last)')}
    ${fact(`${metrics.length} of ${config.epochs}`, 'epochs')} ${fact(duration(trainingSeconds(run)), 'training time')}
  </div>`;
}

/** What runs with equal configs have in common, in a sentence. */
function describe({ label, method, runs }: RunGroup): Html {
  const [{ config }] = runs as [RunRecord];
  const engines = listed(
    runs.map(({ frozen }) =>
      frozen.arithmetic === undefined ? frozen.engine : `${frozen.engine}, ${frozen.arithmetic}`,
    ),
  );
  const seeds = runs.map((run) => run.config.seed);
  const unfinished = runs.filter(({ metrics, config: own }) => metrics.length < own.epochs);
  return html`<p>
    <span class="swatch" style="background:${methodColour(method)}"></span>${label}: method <b>${method}</b> on
    ${config.data.use}, model ${config.model.use}, threat ${radius({ config })},
    ${seeds.length === 1 ? 'seed' : 'seeds'} ${seeds.join(', ')}, engine
    ${engines}${unfinished.length > 0 && html`, <b>${runs.length === 1 ? 'not finished' : `${unfinished.length} not finished`}</b>`}
  </p>`;
}

/** Head of the report: what was run, and what came out. */
export function summarySection(runs: readonly RunRecord[]): Html {
  return html`${groupRuns(runs).map(describe)} ${runs.length === 1 && facts(runs[0]!)}`;
}

const tierNote = html`<p class="soft">
  In brackets the 95 % interval for this number of images (Wilson). Tiers: <b>full</b> is AutoAttack standard, the
  figure that papers compare; <b>fast</b> and <b>quick</b> attack with less and are upper bounds; <b>own test</b> is
  what the run measured when it ended, with the attack of its validation. Figures of different tiers do not compare.
</p>`;

const range = (values: readonly number[]) =>
  html`${points(values.reduce((sum, value) => sum + value, 0) / values.length)}
    <small>(${points(Math.min(...values))} to ${points(Math.max(...values))})</small>`;

/** A row stands for both checkpoints where they are one. */
const ofCheckpoint = (row: AccuracyRow, checkpoint: string) =>
  row.checkpoint === checkpoint || row.checkpoint === 'best = last' ? [{ ...row, checkpoint }] : [];

/** What rows have to share to be samples of one figure. */
const kindOf = ({ checkpoint, threat, tier, attacks, images }: AccuracyRow) =>
  JSON.stringify([checkpoint, threat, tier, attacks, images]);

/** Means over the seeds of a group, of figures that all its runs have. */
function seedMeans(runs: readonly RunRecord[], rows: readonly AccuracyRow[]): Html | undefined {
  const found = groupRuns(runs)
    .filter((group) => group.runs.length > 1)
    .flatMap((group) => {
      const own = rows.filter(({ run, complete }) => complete && group.runs.includes(run));
      const all = ['best', 'last'].flatMap((checkpoint) => own.flatMap((row) => ofCheckpoint(row, checkpoint)));
      return [...new Set(all.map(kindOf))].flatMap((kind) => {
        const same = all.filter((row) => kindOf(row) === kind);
        return same.length === group.runs.length ? [{ group, same }] : [];
      });
    });
  if (found.length === 0) return undefined;
  return html`<h3>Means over seeds</h3>
    ${htmlTable(
      [
        'runs',
        'threat',
        'checkpoint',
        'tier',
        { number: 'images each' },
        { number: 'clean %' },
        { number: 'robust %' },
        'attacks',
      ],
      found.map(({ group, same }) => [
        html`<span class="swatch" style="background:${methodColour(group.method)}"></span>${group.label}`,
        same[0]!.threat,
        same[0]!.checkpoint,
        same[0]!.tier,
        same[0]!.images,
        range(same.map(({ clean }) => clean.share)),
        range(same.map(({ robust }) => robust.share)),
        same[0]!.attacks.join(', '),
      ]),
    )}
    <p class="soft">In brackets the lowest and the highest seed.</p>`;
}

/** Clean and robust accuracy of every run, with tier, images and intervals. */
export function accuracySection(runs: readonly RunRecord[]): Html {
  const rows = runs.flatMap(accuracyRows);
  if (rows.length === 0)
    return html`<h2>Accuracy</h2>
      <p>
        Nothing measured yet: let the run finish, or attack it with <code>bulwark evaluate ${runs[0]!.path}</code>.
      </p>`;
  const table = htmlTable(
    [
      'run',
      'threat',
      'checkpoint',
      'tier',
      { number: 'images' },
      { number: 'clean %' },
      { number: 'robust %' },
      'attacks',
    ],
    rows.map(({ run, threat: threatText, checkpoint, tier, complete, images, clean, robust, attacks }) => [
      named(run),
      threatText,
      checkpoint,
      complete ? tier : `${tier}, not finished`,
      images,
      withInterval(clean),
      withInterval(robust),
      attacks.join(', '),
    ]),
  );
  const missing = runs.filter((run) => rows.every((row) => row.run !== run));
  return html`<h2>Accuracy</h2>
    ${table} ${seedMeans(runs, rows)}
    ${missing.length > 0 && html`<p>Not measured: ${missing.map(({ label }) => label).join(', ')}.</p>`} ${tierNote}`;
}
