import { existsSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import { BulwarkError, type LaunchedJob, type Launcher, type LaunchJob } from '@bulwark/core';
import { counted } from '@bulwark/core/plugins';
import { bulwarkCommand } from '../terminal/child.js';
import { stoppedCode } from '../terminal/interrupt.js';
import { duration, type Output } from '../terminal/output.js';
import { followLog, lastLines, sizeOf } from './follow-log.js';
import { jobFolder, type Handover, type Job, type JobFolder } from './job.js';

/** Where jobs run, and who is told. */
export interface Launch {
  readonly launcher: Launcher;
  /** Name of the launcher's plugin. */
  readonly name: string;
  /** Another launcher, by name, that may have jobs from before. */
  readonly open: (name: string) => Launcher;
  /** Folder whose `jobs/` holds the folders of the jobs. */
  readonly root: string;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** How often a job that was killed is handed over again. */
  readonly retries: number;
  /** False: come back once all jobs are handed over. */
  readonly wait?: boolean;
}

/** A job with what is known of it. */
interface Tracked {
  readonly job: Job;
  readonly folder: JobFolder;
  /** `kept` is in a queue that outlives this command. */
  state: 'waiting' | 'handed over' | 'finished' | 'failed' | 'stopped';
  handle?: string;
  lines: () => string[];
  since: number;
  /** When it was first seen gone without an outcome. */
  goneAt?: number;
  where?: string;
  lost: number;
}

/** Ids of jobs by what became of them. */
export interface JobsResult {
  readonly finished: readonly string[];
  readonly failed: readonly string[];
  /** Asked to stop before their end, or cancelled; another call goes on with them. */
  readonly stopped: readonly string[];
  /** Still in a queue or at work there. */
  readonly pending: readonly string[];
}

/** A queue that does not answer may come back; after so long it is an error. */
const patience = 300_000;

export const jobsFolder = (root: string): string => join(root, 'jobs');

/** While this file is there, whoever hands jobs over takes them away and stops, on whatever machine it is. */
export const cancelFile = (root: string): string => join(jobsFolder(root), 'cancel');

/** @throws BulwarkError RUN_LOCKED: two processes at one job would fail */
async function checkGone({ id }: Job, { launcher, handle }: Handover, open: Launch['open']): Promise<void> {
  const [seen] = await open(launcher).look([handle]);
  if (seen!.state === 'gone') return;
  throw new BulwarkError(
    'RUN_LOCKED',
    `job ${id} is with the launcher ${launcher} already (${seen!.note ?? seen!.state})`,
    {
      hint: `go on with --launcher ${launcher}, or take its jobs away first (bulwark sweep cancel <folder>)`,
    },
  );
}

async function track(job: Job, { root, name, open }: Launch): Promise<Tracked> {
  const folder = jobFolder(join(jobsFolder(root), job.id));
  const done = await job.finished();
  const handover = done ? undefined : folder.handover.read();
  if (handover && handover.launcher !== name) await checkGone(job, handover, open);
  const handle = handover?.launcher === name ? handover.handle : undefined;
  return {
    ...{ job, folder, handle, since: Date.now(), lost: 0 },
    state: done ? 'finished' : handle === undefined ? 'waiting' : 'handed over',
    lines: followLog(folder.log, sizeOf(folder.log)),
  };
}

/** Runs what is not finished, and goes on with what an earlier call has handed over. @throws BulwarkError LAUNCHER_UNAVAILABLE, LAUNCH_REFUSED, LAUNCH_LOST */
export async function runJobs(jobs: readonly Job[], launch: Launch): Promise<JobsResult> {
  const { launcher, output, signal, wait = true } = launch;
  rmSync(cancelFile(launch.root), { force: true });
  const board = await Promise.all(jobs.map((job) => track(job, launch)));
  const inState = (state: Tracked['state']) => board.filter((one) => one.state === state);
  const work = createWork(board, launch);
  let stopping = false;
  let taking = false; // whether jobs are taken away, or stay in their queue
  for (;;) {
    await work.look(inState('handed over'));
    const cancelled = existsSync(cancelFile(launch.root));
    if ((signal.aborted || cancelled) && !stopping) {
      stopping = true;
      taking = launcher.attached || cancelled;
      if (taking) await launcher.cancel(inState('handed over').map(({ handle }) => handle!));
    }
    if (!stopping) await work.submit(inState('waiting'), launcher.capacity - inState('handed over').length);
    const left = inState('handed over').length;
    if (stopping ? !taking || left === 0 : left === 0 && inState('waiting').length === 0) break;
    if (!wait && inState('waiting').length === 0) break;
    // the signal shortens the pause only once
    await pause(1000 * launcher.pollSeconds, undefined, stopping ? {} : { signal }).catch(() => undefined);
  }
  const ids = (...states: Tracked['state'][]) => states.flatMap(inState).map(({ job }) => job.id);
  const pending = ids('handed over');
  if (pending.length > 0) output.line(`${counted(pending.length, 'job stays', 'jobs stay')} in the queue`);
  return {
    finished: ids('finished'),
    failed: ids('failed'),
    stopped: ids('stopped', ...(stopping ? (['waiting'] as const) : [])),
    pending: [...pending, ...(stopping ? [] : ids('waiting'))],
  };
}

/** The two things that are done with jobs again and again: looking what became of them, and handing over more. */
function createWork(board: readonly Tracked[], { launcher, name, output, retries, root }: Launch) {
  const total = board.filter(({ state }) => state !== 'finished').length;
  let finished = 0;
  let silentSince: number | undefined;
  let refusal: string | undefined;

  const say = (one: Tracked, text: string) => output.line(`[${one.job.id}] ${text}`);

  const fail = (one: Tracked, why: string) => {
    one.state = 'failed';
    output.warn(`[${one.job.id}] failed: ${why}; its log is ${one.folder.log}`);
  };

  /** A job that is gone and has said nothing was killed, or never saw its folder. */
  const lose = (one: Tracked, seen: LaunchedJob) => {
    if (one.folder.began.read() === undefined && seen.cancelled !== true)
      throw new BulwarkError(
        'LAUNCH_LOST',
        `job ${one.job.id} has ended${seen.note ? ` (${seen.note})` : ''} without having written anything to ${one.folder.path}`,
        {
          hint: 'let the folder be one that all machines share, and look whether Node and Bulwark are at the same paths there',
        },
      );
    if (seen.cancelled) {
      one.state = 'stopped';
      return say(one, `cancelled${seen.note ? ` (${seen.note})` : ''}`);
    }
    one.lost++;
    if (one.lost > retries) {
      const last = lastLines(one.folder.log, 1)[0];
      return fail(
        one,
        `killed ${one.lost} times${seen.note ? ` (${seen.note})` : ''}${last ? `, last after: ${last}` : ''}`,
      );
    }
    one.state = 'waiting';
    say(one, `was killed${seen.note ? ` (${seen.note})` : ''}; it will go on`);
  };

  const end = async (one: Tracked, seen: LaunchedJob) => {
    const outcome = one.folder.outcome.read();
    if (outcome === undefined) {
      one.goneAt ??= Date.now();
      if (Date.now() - one.goneAt < 1000 * launcher.settleSeconds) return;
      one.folder.handover.clear();
      return lose(one, seen);
    }
    one.folder.handover.clear();
    if (outcome.code === 0 && (await one.job.finished())) {
      one.state = 'finished';
      return say(one, `finished (${++finished} of ${total}, ${duration((Date.now() - one.since) / 1000)})`);
    }
    if (outcome.code === stoppedCode) {
      one.state = launcher.attached || seen.cancelled ? 'stopped' : 'waiting';
      return say(one, one.state === 'waiting' ? 'was stopped; it will go on' : 'stopped; everything so far is saved');
    }
    fail(one, outcome.message ?? `exit code ${outcome.code}`);
  };

  return {
    async look(handed: readonly Tracked[]) {
      if (handed.length === 0) return;
      let seen: readonly LaunchedJob[];
      try {
        seen = await launcher.look(handed.map(({ handle }) => handle!));
        silentSince = undefined;
      } catch (error) {
        if (silentSince === undefined) output.warn(`${(error as Error).message}; asking again`);
        silentSince ??= Date.now();
        if (Date.now() - silentSince > patience) throw error;
        return;
      }
      for (const [i, one] of handed.entries()) {
        const { state, note } = seen[i]!;
        const where = `${state}${note ? ` (${note})` : ''}`;
        if (!launcher.attached && state !== 'gone' && where !== one.where) say(one, where);
        one.where = where;
        for (const line of one.lines()) say(one, line);
        if (state === 'gone') await end(one, seen[i]!);
        else one.goneAt = undefined;
      }
    },

    /** @throws BulwarkError LAUNCH_REFUSED if nothing is taken and nothing is at work that could make room */
    async submit(waiting: readonly Tracked[], room: number) {
      const next = waiting.slice(0, room);
      if (next.length === 0) return;
      const byId = new Map(next.map((one) => [one.job.id, one]));
      const launchJobs = next.map(({ job, folder }): LaunchJob => {
        folder.writeOrder(job);
        folder.outcome.clear();
        folder.began.clear();
        return {
          id: job.id,
          command: [...bulwarkCommand(), 'job', folder.path],
          folder: process.cwd(),
          log: folder.log,
        };
      });
      const { taken, refused } = await launcher.submit(launchJobs, ({ id }, handle) => {
        const one = byId.get(id)!;
        one.folder.handover.write({ launcher: name, handle });
        Object.assign(one, { handle, state: 'handed over', since: Date.now(), goneAt: undefined });
      });
      for (const one of next.slice(taken)) {
        one.state = 'waiting';
        one.folder.handover.clear();
      }
      if (refused === undefined || taken === next.length) return;
      if (board.every(({ state }) => state !== 'handed over'))
        throw new BulwarkError('LAUNCH_REFUSED', `${refused} (${counted(next.length, 'job')} of ${root})`, {
          hint: 'give the same command again when there is room, or change what the jobs ask for',
        });
      if (refused !== refusal)
        output.warn(`${refused}; ${counted(next.length - taken, 'job waits', 'jobs wait')} until there is room`);
      refusal = refused;
    },
  };
}

/** @throws BulwarkError INTERRUPTED or JOBS_FAILED, unless all jobs are finished or in a queue */
export function checkJobs(result: JobsResult, { signal }: Pick<Launch, 'signal'>): void {
  const { failed, stopped, finished } = result;
  if (failed.length > 0 && !signal.aborted)
    throw new BulwarkError(
      'JOBS_FAILED',
      `${failed.length} of ${failed.length + stopped.length + finished.length + result.pending.length} jobs failed: ${failed.join(', ')}`,
      { hint: 'see their messages above; the same command does what is missing' },
    );
  if (signal.aborted || stopped.length > 0)
    throw new BulwarkError(
      'INTERRUPTED',
      result.pending.length > 0 && signal.aborted
        ? 'stopped looking; the jobs go on in the queue'
        : 'stopped on request; everything so far is saved',
      { hint: 'the same command goes on where this one stopped' },
    );
}
