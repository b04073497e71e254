import { join } from 'node:path';
import { BulwarkError, type PluginRegistry, type RunSummary } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { openRunFolder } from '@bulwark/core/run';
import { counted } from '@bulwark/core/plugins';
import { runJobs, type JobsResult, type Launch } from '../launch/index.js';
import { jobOf, planPoints, runsOf, type PlannedPoint, type PlannedRun } from './plan.js';
import { pointsOf } from './points.js';
import { roundEpochs, survivors } from './rounds.js';
import type { Search, Sweep } from './sweep-file.js';

/** A sweep with its folder and its points. */
export interface Conducted {
  readonly sweep: Sweep;
  readonly folder: string;
  readonly points: readonly PlannedPoint[];
}

/** Whether a label of a validation accuracy is meant by a name: `pgd-20` by `pgd-20` and by `pgd`. */
const meant = (label: string, name: string) => label === name || label.startsWith(`${name}-`);

/** @throws BulwarkError CONFIG_INVALID, before anything is trained, if validation will not measure what decides */
function checkMetric(points: readonly PlannedPoint[], metric: string | undefined): void {
  for (const { name, config } of points) {
    const known = ['clean', ...config.evaluation.attacks.map(({ use }) => use)];
    if (metric === undefined || known.some((use) => meant(metric, use))) continue;
    throw new BulwarkError(
      'CONFIG_INVALID',
      `search.metric is ${metric}; validation of ${name} measures ${known.join(', ')}`,
      {
        hint: 'name one of these, or add the attack to evaluation.attacks of the config',
      },
    );
  }
}

/** Plans a sweep. @throws BulwarkError CONFIG_INVALID and the like */
export async function planSweep(sweep: Sweep, given: { folder: string; registry: PluginRegistry }): Promise<Conducted> {
  const points = await planPoints(pointsOf(sweep.search), { sweep, registry: given.registry });
  if (sweep.search.use === 'halving') checkMetric(points, sweep.search.metric);
  return { sweep, folder: given.folder, points };
}

/** How a sweep stands: what became of its jobs, and the runs that its table is made of. */
export interface Standing extends JobsResult {
  readonly runs: readonly PlannedRun[];
}

const add = (a: JobsResult, b: JobsResult): JobsResult => ({
  finished: [...a.finished, ...b.finished],
  failed: [...a.failed, ...b.failed],
  stopped: [...a.stopped, ...b.stopped],
  pending: [...a.pending, ...b.pending],
});

/** The validation accuracy by which a finished run is ranked. */
function scoreOf({ folder }: PlannedRun, metric: string | undefined): number | undefined {
  const summary = openRunFolder(folder).readSummary() as unknown as RunSummary;
  const { best, last, selectedBy } = summary;
  const { validation = {} } = best ?? last;
  const label = Object.keys(validation).find((one) => meant(one, metric ?? selectedBy ?? ''));
  return label === undefined ? undefined : validation[label];
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean score over the seeds; none if a run failed. */
function scorePoint(
  runs: readonly PlannedRun[],
  done: ReadonlySet<string>,
  metric: string | undefined,
): number | undefined {
  const scores = runs.map((run) => (done.has(run.id) ? scoreOf(run, metric) : undefined));
  return scores.every((score) => score !== undefined) ? mean(scores) : undefined;
}

/** Trains and measures every point that is not finished. */
async function conductAll({ sweep, folder, points }: Conducted, launch: Launch): Promise<Standing> {
  const runs = runsOf(points, { sweep, folder });
  const result = await runJobs(
    runs.map((run) => jobOf(run, { sweep, folder })),
    launch,
  );
  return { ...result, runs };
}

/**
 * Successive halving: all points for a few epochs, the best of them for more, and so on. Every round trains anew, because schedules
 * depend on the length of a run. Which points go on follows from the runs' own files, so that any process can go on with it.
 */
async function conductHalving({ sweep, folder, points }: Conducted, launch: Launch): Promise<Standing> {
  const search = sweep.search as Extract<Search, { use: 'halving' }>;
  const rounds = roundEpochs(search);
  const story: object[] = [];
  let alive: readonly PlannedPoint[] = points;
  let all: JobsResult = { finished: [], failed: [], stopped: [], pending: [] };
  let runs: readonly PlannedRun[] = [];
  for (const [i, epochs] of rounds.entries()) {
    runs = runsOf(alive, { sweep, folder, epochs });
    launch.output.line(
      `round ${i + 1} of ${rounds.length}: ${counted(alive.length, 'point')} for ${counted(epochs, 'epoch')}`,
    );
    const result = await runJobs(
      runs.map((run) => jobOf(run, { sweep, folder })),
      launch,
    );
    all = add(all, result);
    if (launch.signal.aborted || result.pending.length > 0 || result.stopped.length > 0) break;
    const done = new Set(result.finished);
    const scored = alive.map((item) => ({
      item,
      score: scorePoint(
        runs.filter(({ point }) => point === item),
        done,
        search.metric,
      ),
    }));
    story.push({ epochs, points: scored.map(({ item, score }) => ({ name: item.name, values: item.values, score })) });
    writeAtomically(join(folder, 'rounds.json'), `${JSON.stringify(story, null, 2)}\n`);
    if (epochs === rounds.at(-1)) break;
    alive = survivors(scored, search.factor);
    if (alive.length === 0 && result.failed.length === 0)
      throw new BulwarkError('CONFIG_INVALID', 'the runs have no validation accuracy that could decide which go on', {
        hint: 'let the data hold out validation images, or name a search.metric that validation measures',
      });
    if (alive.length === 0) break; // all failed, which the caller reports
  }
  return { ...all, runs };
}

/** Does what is missing of a sweep. */
export const conduct = (conducted: Conducted, launch: Launch): Promise<Standing> =>
  conducted.sweep.search.use === 'halving' ? conductHalving(conducted, launch) : conductAll(conducted, launch);
