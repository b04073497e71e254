import type { EpochMetrics } from '@bulwark/core';
import { lineChart, type LinePoint } from '../chart/lines.js';
import { looksOf, methodColour, roleColour, type Look } from '../chart/palette.js';
import { charts, figure } from '../page/figure.js';
import { html, type Html } from '../page/html.js';
import { points } from '../page/numbers.js';
import type { RunRecord } from '../read-run.js';
import { radius, validationText } from './measured.js';

const epoch = { title: 'epoch', whole: true };
export const accuracyAxis = (name: string) => ({ title: `${name} (%)`, percent: true });

/** One line per entry: what `values` gives of each epoch. */
export function overEpochs(
  metrics: readonly EpochMetrics[],
  values: (metrics: EpochMetrics) => Readonly<Record<string, number | undefined>>,
): LinePoint[] {
  return metrics.flatMap((each) =>
    Object.entries(values(each)).flatMap(([series, y]) => (y === undefined ? [] : [{ series, x: each.epoch, y }])),
  );
}

/** Runs by label, each in its method's colour. */
export const runLooks = (runs: readonly Pick<RunRecord, 'label' | 'method'>[]): Map<string, Look> =>
  looksOf(runs.map(({ label, method }) => ({ label, colour: methodColour(method) })));

/** Clean accuracy over the epochs of several runs, or the accuracy under one attack. */
export const accuracyCurves = (runs: readonly RunRecord[], label: string) => {
  const shown = runs.flatMap((run) =>
    overEpochs(run.metrics, ({ validation }) => ({ [run.label]: validation?.[label] })),
  );
  const looks = runLooks(runs.filter(({ label }) => shown.some(({ series }) => series === label)));
  return {
    x: epoch,
    y: accuracyAxis(label === 'clean' ? 'clean accuracy' : `accuracy under ${label}`),
    points: shown,
    looks,
  };
};

export const robustLabels = (runs: readonly RunRecord[]): string[] => [
  ...new Set(runs.flatMap(({ robust }) => (robust === undefined ? [] : [robust]))),
];

/** Validation accuracies of one run in one chart. */
function ownAccuracies(run: RunRecord) {
  const rows = overEpochs(run.metrics, ({ validation = {} }) => validation);
  const labels = [...new Set(rows.map(({ series }) => series))];
  const colour = (label: string) => methodColour(label === 'clean' ? 'natural' : run.method);
  const looks = looksOf(labels.map((label) => ({ label, colour: colour(label) })));
  return { x: epoch, y: accuracyAxis('validation accuracy'), points: rows, looks };
}

/** Robust accuracy on training and validation images: where they part, the run overfits. */
function overfitting(run: RunRecord) {
  const { robust, summary, metrics, method } = run;
  const names = { validation: `validation, ${robust}`, training: 'training, own attack' };
  const rows = overEpochs(metrics, ({ validation, train }) => ({
    [names.validation]: robust === undefined ? undefined : validation?.[robust],
    [names.training]: train['adversarial.accuracy'],
  }));
  const looks = looksOf(Object.values(names).map((label) => ({ label, colour: methodColour(method) })));
  const { best } = summary ?? {};
  const marks = best && best.epoch < metrics.length ? [{ x: best.epoch, label: 'best' }] : [];
  return { x: epoch, y: accuracyAxis('robust accuracy'), points: rows, looks, marks };
}

function lossTerms(run: RunRecord) {
  const rows = overEpochs(run.metrics, ({ loss, terms }) => {
    const [only, ...more] = Object.values(terms);
    // a single term that is the loss would lie under it
    return more.length === 0 && only !== undefined && Math.abs(only - loss) <= 1e-6 * Math.abs(loss)
      ? { loss }
      : { loss, ...terms };
  });
  const labels = [...new Set(rows.map(({ series }) => series))];
  const looks = looksOf(labels.map((label) => ({ label, colour: methodColour(run.method) })));
  return { x: epoch, y: { title: 'training loss (nats)' }, points: rows, looks };
}

/** What `<role>.<quantity>` of the training diagnostics says, by role. */
export function byRole(run: RunRecord, quantity: 'crossEntropy' | 'collaborative') {
  const rows = overEpochs(run.metrics, ({ train }) =>
    Object.fromEntries(
      Object.entries(train)
        .filter(([name]) => name.endsWith(`.${quantity}`))
        .map(([name, value]) => [name.slice(0, -quantity.length - 1), value]),
    ),
  );
  const roles = [...new Set(rows.map(({ series }) => series))];
  const looks = looksOf(roles.map((label) => ({ label, colour: roleColour(label) })));
  const y =
    quantity === 'crossEntropy'
      ? { title: 'cross-entropy (nats)' }
      : { title: 'easier than their image (%)', percent: true, domain: [0, 1] as const };
  return { x: epoch, y, points: rows, looks };
}

async function ownFigures(run: RunRecord): Promise<Html[]> {
  const neighbours = byRole(run, 'collaborative');
  return Promise.all([
    figure(lineChart(ownAccuracies(run)), `Accuracy, ${radius(run)}`, validationText([run])),
    ...(run.robust === undefined || overfitting(run).points.every(({ series }) => series.startsWith('validation'))
      ? []
      : [figure(lineChart(overfitting(run)), `Robust overfitting, ${radius(run)}`, gapNote(run))]),
    figure(lineChart(lossTerms(run)), 'Loss and its terms', 'terms without their weights'),
    figure(
      lineChart(byRole(run, 'crossEntropy')),
      `Cross-entropy of the points trained on, ${radius(run)}`,
      'means over the training batches',
    ),
    ...(neighbours.points.length === 0
      ? []
      : [
          figure(
            lineChart(neighbours),
            `Collaborative among the neighbours, ${radius(run)}`,
            'share of points with a lower cross-entropy than their image',
          ),
        ]),
  ]);
}

function gapNote({ summary, robust }: RunRecord): string {
  if (summary?.gap === undefined || !summary.best) return 'the two lines part where the run overfits';
  const { best, gap, split, images } = summary;
  return `best epoch ${best.epoch}; best minus last on ${images ?? 'the'} ${split} images: ${points(gap)} points of ${robust}`;
}

/** What one run has after its only epoch: a chart would be one dot. */
function firstEpoch({ metrics: [first] }: RunRecord): Html {
  const { loss, terms, validation = {} } = first!;
  const numbers = [
    ...Object.entries(validation).map(([label, share]) => `${label} ${points(share)} %`),
    `loss ${loss.toFixed(4)}`,
    ...Object.entries(terms).map(([label, value]) => `${label} ${value.toFixed(4)}`),
  ];
  return html`<p>After the first epoch: ${numbers.join(', ')}.</p>`;
}

/** Training curves of one run. */
export async function curvesSection(run: RunRecord): Promise<Html> {
  const content = async () => {
    if (run.metrics.length === 0) return html`<p>No epoch has ended yet.</p>`;
    return run.metrics.length === 1 ? firstEpoch(run) : charts(await ownFigures(run));
  };
  return html`<h2>Training</h2>
    ${await content()}`;
}
