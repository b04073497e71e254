import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BulwarkError, defineLauncher, integer, type LaunchedJob, type Launcher, type LaunchJob } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { z } from 'zod';
import { firstLine, isFull, slurm } from './commands.js';
import { arrayScript, type SlurmOptions } from './script.js';

/** A handle is the name of an array and the number of the task in it: known before sbatch is called, so that no crash loses a job. */
const handleOf = (name: string, task: number) => `${name}/${task}`;

interface QueueLine {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly node: string;
}

/** What the queue knows of arrays, by handle. Ended jobs stay known for a while (MinJobAge). */
async function queue(handles: readonly string[]): Promise<Map<string, QueueLine>> {
  const names = [...new Set(handles.map((handle) => handle.split('/')[0]!))];
  if (names.length === 0) return new Map();
  const flags = ['--noheader', '--array', '--states=all', `--name=${names.join(',')}`];
  const said = await slurm('squeue', ...flags, '--format=%j|%F|%K|%T|%r|%N');
  if (said.code !== 0)
    throw new BulwarkError('LAUNCHER_UNAVAILABLE', `squeue: ${firstLine(said)}`, {
      hint: '`squeue` must work on this machine',
    });
  return new Map(
    said.out
      .split('\n')
      .filter((line) => line.includes('|'))
      .map((line) => {
        const [name, job, task, state, reason, node] = line.trim().split('|') as [string, ...string[]];
        return [handleOf(name, Number(task)), { id: `${job}_${task}`, state: state!, reason: reason!, node: node! }];
      }),
  );
}

const waits = [
  'PENDING',
  'CONFIGURING',
  'REQUEUED',
  'REQUEUE_FED',
  'REQUEUE_HOLD',
  'RESV_DEL_HOLD',
  'SUSPENDED',
  'STOPPED',
];
const works = ['RUNNING', 'COMPLETING', 'STAGE_OUT', 'SIGNALING', 'RESIZING'];

function stateOf(line: QueueLine | undefined): LaunchedJob {
  if (!line) return { state: 'gone' };
  const { id, state, reason, node } = line;
  const place = node ? ` on ${node}` : '';
  if (waits.includes(state)) return { state: 'waiting', note: `${id}: ${reason === 'None' ? 'queued' : reason}` };
  if (works.includes(state)) return { state: 'running', note: `${id}${place}` };
  return { state: 'gone', note: `${id}, ${state}${place}`, ...(state === 'CANCELLED' && { cancelled: true }) };
}

/** The largest array that the cluster takes. */
async function largestArray(): Promise<number> {
  const { out } = await slurm('scontrol', 'show', 'config');
  return Number(/MaxArraySize\s*=\s*(\d+)/.exec(out)?.[1] ?? 1001);
}

function createSlurm(options: SlurmOptions): Launcher {
  let largest: number | undefined;

  /** Hands over one array. @returns why not, if there is no room */
  const submitArray = async (jobs: readonly LaunchJob[], record: (job: LaunchJob, handle: string) => void) => {
    const name = `bulwark-${randomUUID().slice(0, 13)}`;
    const folder = join(dirname(jobs[0]!.log), 'slurm');
    mkdirSync(folder, { recursive: true });
    const script = join(folder, `${name}.sh`);
    writeAtomically(script, arrayScript(jobs, options, { name, output: join(folder, `${name}_%a.out`) }));
    jobs.forEach((job, task) => record(job, handleOf(name, task)));
    const said = await slurm('sbatch', '--parsable', script);
    if (said.code === 0) return undefined;
    // an sbatch that was too slow may have got through all the same
    if (isFull(said) && (await queue([handleOf(name, 0)])).size > 0) return undefined;
    if (isFull(said)) return `Slurm takes no more jobs now: ${firstLine(said)}`;
    throw new BulwarkError('LAUNCH_REFUSED', `sbatch refuses the jobs: ${firstLine(said)}`, {
      hint: `\`sinfo\` lists partitions and limits; what was asked for stands in ${script}`,
    });
  };

  return {
    description: `Slurm${options.partition === undefined ? '' : `, partition ${options.partition}`}`,
    capacity: Infinity,
    pollSeconds: 3,
    settleSeconds: options.settle,
    attached: false,
    async submit(jobs, record) {
      largest ??= await largestArray();
      let taken = 0;
      let size = largest;
      while (taken < jobs.length) {
        const chunk = jobs.slice(taken, taken + size);
        const refused = await submitArray(chunk, record);
        if (refused === undefined) taken += chunk.length;
        else if (chunk.length === 1) return { taken, refused };
        else size = Math.floor(chunk.length / 2); // a limit counts the tasks of an array
      }
      return { taken };
    },
    async look(handles) {
      const lines = await queue(handles);
      return handles.map((handle) => stateOf(lines.get(handle)));
    },
    async cancel(handles) {
      const lines = await queue(handles);
      const ids = handles.flatMap((handle) => {
        const line = lines.get(handle);
        return line && stateOf(line).state !== 'gone' ? [line.id] : [];
      });
      if (ids.length > 0) await slurm('scancel', ...ids);
    },
  };
}

const word = () => z.string().regex(/^[^\s']+$/, 'no blanks or quotes');

/** The launcher `slurm`. */
export const slurmLauncher = defineLauncher({
  name: 'slurm',
  summary: 'Job arrays of a Slurm cluster whose machines share the folders.',
  options: {
    partition: word().optional().describe('partition'),
    account: word().optional().describe('account that is charged'),
    qos: word().optional().describe('quality of service'),
    time: z
      .union([integer({ min: 1 }), word()])
      .optional()
      .describe('time limit of one job: minutes, or 1-12:00:00'),
    cpus: integer({ min: 1 }).optional().describe('cores of one job; it computes with as many threads'),
    memory: word().optional().describe('memory of one job, such as 16G'),
    gpus: z
      .union([integer({ min: 1 }), word()])
      .optional()
      .describe('GPUs of one job: a number, or a100:1'),
    limit: integer({ min: 1 }).optional().describe('jobs at work at the same time'),
    modules: z.array(word()).default([]).describe('environment modules to load'),
    setup: z.array(z.string()).default([]).describe('lines of shell before the job: paths, environments'),
    arguments: z
      .array(z.string().regex(/^--?\S[^\n]*$/, 'one argument that starts with a hyphen'))
      .default([])
      .describe('further arguments of sbatch, such as --constraint=v100'),
    requeue: z.boolean().default(true).describe('queue a job again that its time limit or its machine ended'),
    grace: integer({ min: 1 }).default(120).describe('seconds before the time limit at which a job saves and stops'),
    settle: integer({ min: 0 }).default(30).describe('seconds until files of other machines are surely seen here'),
  },
  create: createSlurm,
});
