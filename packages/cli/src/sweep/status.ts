import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LaunchedJob, Launcher } from '@bulwark/core';
import { openRunFolder } from '@bulwark/core/run';
import { jobFolder, jobsFolder } from '../launch/index.js';
import { stoppedCode } from '../terminal/interrupt.js';
import { isFinished, runsOf, type PlannedRun } from './plan.js';
import type { Conducted } from './conduct.js';
import { roundEpochs } from './rounds.js';

/** How one job of a sweep stands. */
export interface JobStatus {
  readonly id: string;
  readonly state: 'finished' | 'running' | 'waiting' | 'stopped' | 'failed' | 'not started';
  /** Epochs done, where it runs, or what went wrong. */
  readonly note: string;
  readonly log: string;
}

/** All runs that a sweep has, or may have: in successive halving those of each round that has begun. */
function allRuns({ sweep, folder, points }: Conducted): PlannedRun[] {
  if (sweep.search.use !== 'halving') return runsOf(points, { sweep, folder });
  return roundEpochs(sweep.search).flatMap((epochs, i) =>
    runsOf(points, { sweep, folder, epochs }).filter(
      ({ id, folder: run }) => i === 0 || existsSync(run) || existsSync(join(jobsFolder(folder), id)),
    ),
  );
}

function progress(folder: string): string {
  if (!existsSync(join(folder, 'config.json'))) return '';
  const run = openRunFolder(folder);
  return `epoch ${run.readMetrics().length} of ${run.frozen.config.epochs}`;
}

/** Handles of jobs that were handed over, by id. */
export function handedOver(conducted: Conducted): Map<string, { launcher: string; handle: string }> {
  return new Map(
    allRuns(conducted).flatMap(({ id }) => {
      const found = jobFolder(join(jobsFolder(conducted.folder), id)).handover.read();
      return found ? [[id, found] as const] : [];
    }),
  );
}

/** Asks every launcher that has jobs of the sweep. */
async function seen(conducted: Conducted, open: (name: string) => Launcher): Promise<Map<string, LaunchedJob>> {
  const handed = [...handedOver(conducted)];
  const found = new Map<string, LaunchedJob>();
  for (const name of new Set(handed.map(([, { launcher }]) => launcher))) {
    const own = handed.filter(([, { launcher }]) => launcher === name);
    const states = await open(name).look(own.map(([, { handle }]) => handle));
    own.forEach(([id], i) => found.set(id, states[i]!));
  }
  return found;
}

/** How all jobs of a sweep stand, from their files and their launchers. */
export async function statusOf(conducted: Conducted, open: (name: string) => Launcher): Promise<JobStatus[]> {
  const launched = await seen(conducted, open);
  return Promise.all(
    allRuns(conducted).map(async (run): Promise<JobStatus> => {
      const { id, folder } = run;
      const files = jobFolder(join(jobsFolder(conducted.folder), id));
      const of = (state: JobStatus['state'], note = '') => ({ id, state, note, log: files.log });
      if (await isFinished(run, conducted.sweep)) return of('finished');
      const now = launched.get(id);
      if (now && now.state !== 'gone') return of(now.state, [progress(folder), now.note].filter(Boolean).join(', '));
      const outcome = files.outcome.read();
      if (outcome && outcome.code !== 0 && outcome.code !== stoppedCode)
        return of('failed', outcome.message ?? `exit code ${outcome.code}`);
      const begun = files.began.read() !== undefined || existsSync(folder);
      return of(begun ? 'stopped' : 'not started', progress(folder));
    }),
  );
}

/** Takes all jobs of a sweep away. @returns how many were not gone yet */
export async function cancelJobs(conducted: Conducted, open: (name: string) => Launcher): Promise<number> {
  const handed = handedOver(conducted);
  const live = [...(await seen(conducted, open))].filter(([, { state }]) => state !== 'gone').map(([id]) => id);
  for (const name of new Set(live.map((id) => handed.get(id)!.launcher))) {
    const own = live.filter((id) => handed.get(id)!.launcher === name);
    await open(name).cancel(own.map((id) => handed.get(id)!.handle));
  }
  return live.length;
}
