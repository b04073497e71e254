import type { EpochMetrics } from '@bulwark/core';
import type { Axis } from '../chart/axis.js';
import { lineChart, type LineBand, type LinePoint } from '../chart/lines.js';
import { looksOf, methodColour } from '../chart/palette.js';
import { groupRuns, type RunGroup } from '../groups.js';
import { charts, figure } from '../page/figure.js';
import { html, type Html } from '../page/html.js';
import type { RunRecord } from '../read-run.js';
import { accuracyAxis, robustLabels } from './curves.js';
import { listed, radius, validationText } from './measured.js';

/** What is asked of several runs: one chart answers it for all. */
interface Question {
  readonly caption: string;
  readonly y: Axis;
  /** What it was measured on and with. */
  readonly measuredOn: string;
  readonly value: (metrics: EpochMetrics) => number | undefined;
}

interface Curve {
  readonly points: readonly LinePoint[];
  readonly bands: readonly LineBand[];
}

/** The mean over the seeds at each epoch that all of them have reached, and the lowest and the highest. */
export function curveOf({ label, runs }: RunGroup, value: Question['value']): Curve {
  const values = runs.map(
    ({ metrics }) =>
      new Map(metrics.flatMap((each) => (value(each) === undefined ? [] : [[each.epoch, value(each)!]]))),
  );
  const epochs = [...(values[0]?.keys() ?? [])].filter((epoch) => values.every((of) => of.has(epoch)));
  const at = epochs.map((x) => ({ x, all: values.map((of) => of.get(x)!) }));
  return {
    points: at.map(({ x, all }) => ({ series: label, x, y: all.reduce((sum, y) => sum + y, 0) / all.length })),
    bands:
      runs.length === 1
        ? []
        : at.map(({ x, all }) => ({ series: label, x, low: Math.min(...all), high: Math.max(...all) })),
  };
}

/** Runs that a chart does not show, and why; nobody should have to count lines. */
function absentText(curves: ReadonlyMap<RunGroup, Curve>, show: (y: number) => string): string {
  const none = [...curves].filter(([, { points }]) => points.length === 0).map(([{ label }]) => label);
  const lone = [...curves].flatMap(([{ label }, { points }]) =>
    points.length === 1 ? [`${label} ${show(points[0]!.y)}`] : [],
  );
  return [
    ...(lone.length > 0 ? [`After one epoch: ${lone.join(', ')}.`] : []),
    ...(none.length > 0 ? [`Without these numbers: ${none.join(', ')}.`] : []),
  ].join(' ');
}

async function answer(groups: readonly RunGroup[], question: Question): Promise<Html | undefined> {
  const { caption, y, measuredOn, value } = question;
  const curves = new Map(groups.map((group) => [group, curveOf(group, value)]));
  const drawn = [...curves].filter(([, { points }]) => points.length > 1);
  const show = (of: number) => (y.percent ? `${(100 * of).toFixed(1)} %` : of.toFixed(3));
  const seeds = drawn.some(([{ runs }]) => runs.length > 1)
    ? ' Lines are means over seeds, bands reach from the lowest to the highest.'
    : '';
  const absent = absentText(curves, show);
  if (drawn.length === 0)
    return absent.startsWith('After') ? html`<p><b>${caption}.</b> ${measuredOn}. ${absent}</p>` : undefined;
  const chart = lineChart({
    x: { title: 'epoch', whole: true },
    y,
    points: drawn.flatMap(([, { points }]) => points),
    bands: drawn.flatMap(([, { bands }]) => bands),
    looks: looksOf(drawn.map(([{ label, method }]) => ({ label, colour: methodColour(method) }))),
  });
  return figure(chart, caption, `${measuredOn}.${seeds} ${absent}`.trim());
}

function questions(runs: readonly RunRecord[]): Question[] {
  const on = validationText(runs);
  const threats = listed(runs.map(radius));
  const attacked = robustLabels(runs).map((label): Question => ({
    caption: `Accuracy under ${label}, ${threats}`,
    y: accuracyAxis(`accuracy under ${label}`),
    measuredOn: on,
    value: ({ validation }) => validation?.[label],
  }));
  return [
    {
      caption: 'Clean accuracy',
      y: accuracyAxis('clean accuracy'),
      measuredOn: on,
      value: ({ validation }) => validation?.['clean'],
    },
    ...attacked,
    {
      caption: `Accuracy on training images under the run's own attack, ${threats}`,
      y: accuracyAxis('training, own attack'),
      measuredOn: 'training batches; where this rises and the accuracy under attack falls, a run overfits',
      value: ({ train }) => train['adversarial.accuracy'],
    },
    {
      caption: 'Training loss',
      y: { title: 'training loss (nats)' },
      measuredOn: 'means over the training batches; losses of different methods do not compare',
      value: ({ loss }) => loss,
    },
  ];
}

/** Training curves of several runs: one chart for each question, seeds as mean and band. */
export async function togetherSection(runs: readonly RunRecord[]): Promise<Html> {
  const groups = groupRuns(runs);
  const answers = (await Promise.all(questions(runs).map((question) => answer(groups, question)))).filter(
    (each) => each !== undefined,
  );
  return html`<h2>Training</h2>
    ${charts(answers)}
    <p class="soft">
      What one run did by itself (its loss terms, the points that it trains on):
      <code>bulwark report ${runs[0]!.path}</code>.
    </p>`;
}
