import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, type PluginRegistry, type RunConfig } from '@bulwark/core';
import { loadEvaluation } from '@bulwark/core/evaluation';
import { digestOf, writeAtomically } from '@bulwark/core/files';
import { checkRun } from '@bulwark/core/run';
import { computesOf } from '../compare/computes.js';
import { importUserModule } from '../config/load.js';
import { setAt } from '../config/override.js';
import { pluginFlags } from '../trust/policy.js';
import type { Job, Step } from '../launch/index.js';
import type { Point } from './points.js';
import type { EvaluateOptions, Sweep } from './sweep-file.js';

/** A point with its config, composed and checked. */
export interface PlannedPoint extends Point {
  readonly config: RunConfig;
  /** As it is written for `train`. */
  readonly input: Record<string, unknown>;
}

/** One training of a point. */
export interface PlannedRun {
  readonly point: PlannedPoint;
  readonly seed: number;
  /** Another length than the config's: a round of successive halving. */
  readonly epochs?: number;
  readonly folder: string;
  readonly id: string;
}

/** Composes and checks the config of every point before anything runs. @throws BulwarkError CONFIG_INVALID and the like, naming the point */
export async function planPoints(
  points: readonly Point[],
  { sweep, registry }: { sweep: Sweep; registry: PluginRegistry },
): Promise<PlannedPoint[]> {
  const { input: base, baseFolder } = sweep.base;
  const planned = await Promise.all(
    points.map(async (point): Promise<PlannedPoint> => {
      const laid = Object.entries(point.values).reduce<unknown>(
        (config, [path, value]) => setAt(config, path.split('.'), value),
        base,
      );
      const input = { ...(laid as Record<string, unknown>), name: point.name };
      try {
        const { config } = await checkRun(input, { registry, baseFolder, importModule: importUserModule });
        return { ...point, input, config };
      } catch (error) {
        if (!(error instanceof BulwarkError)) throw error;
        throw new BulwarkError(error.code, `point ${point.name}: ${error.message}`, { hint: error.hint });
      }
    }),
  );
  const seen = new Map<string, string>();
  for (const { name, config } of planned) {
    const key = digestOf(computesOf(config));
    const twin = seen.get(key);
    if (twin !== undefined)
      throw new BulwarkError('CONFIG_INVALID', `the points ${twin} and ${name} compute the same`, {
        hint: 'leave one out: a repeated run is no second sample',
      });
    seen.set(key, name);
  }
  return planned;
}

/** The trainings of points in an order that no machine changes: all points with the first seed, then with the next. */
export function runsOf(
  points: readonly PlannedPoint[],
  given: { sweep: Sweep; folder: string; epochs?: number },
): PlannedRun[] {
  const { sweep, folder, epochs } = given;
  return sweep.seeds.flatMap((seed) =>
    points.map((point): PlannedRun => {
      const id = [point.name, ...(epochs === undefined ? [] : [`epochs-${epochs}`]), `seed-${seed}`].join('/');
      return { point, seed, ...(epochs !== undefined && { epochs }), id, folder: join(folder, 'runs', id) };
    }),
  );
}

/** Where the evaluation of a run is. */
export const evaluationFile = (folder: string, { checkpoint, tier, attacks }: EvaluateOptions): string =>
  join(folder, 'evaluation', checkpoint, `${attacks ? 'custom' : (tier ?? 'quick')}-sweep.json`);

function evaluateStep(folder: string, options: EvaluateOptions, plugins: readonly string[]): Step {
  const { checkpoint, tier = 'quick', attacks, images } = options;
  const what = attacks ? ['--attacks', ...attacks] : ['--tier', tier];
  const where = ['--checkpoint', checkpoint, '--out', evaluationFile(folder, options), '--no-probes'];
  const which = images === undefined ? [] : ['--images', String(images)];
  return { arguments: ['evaluate', folder, ...plugins, ...where, ...which, ...what] };
}

/** Whether a run is trained and measured. */
export async function isFinished({ folder }: PlannedRun, { evaluate }: Sweep): Promise<boolean> {
  if (!existsSync(join(folder, 'summary.json'))) return false;
  return !evaluate || (await loadEvaluation(evaluationFile(folder, evaluate)))?.complete === true;
}

/** A training with its evaluation as a job; writes the config that it trains from. */
export function jobOf(run: PlannedRun, { sweep, folder: root }: { sweep: Sweep; folder: string }): Job {
  const { point, seed, epochs, folder, id } = run;
  const config = join(root, 'configs', `${point.name}.json`);
  if (!existsSync(config)) writeAtomically(config, `${JSON.stringify(point.input, null, 2)}\n`);
  const plugins = pluginFlags(point.config.plugins, sweep.base.baseFolder);
  const length = epochs === undefined ? [] : ['--set', `epochs=${epochs}`];
  const train: Step = {
    arguments: [
      ...['train', config, '--base-folder', sweep.base.baseFolder],
      ...['--set', `seed=${seed}`, ...length, '--out', folder],
    ],
    resume: { when: join(folder, 'config.json'), arguments: ['train', '--resume', folder, ...plugins] },
    done: join(folder, 'summary.json'),
  };
  return {
    id,
    steps: [train, ...(sweep.evaluate ? [evaluateStep(folder, sweep.evaluate, plugins)] : [])],
    finished: () => isFinished(run, sweep),
  };
}
