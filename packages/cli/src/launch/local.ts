import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { BulwarkError, defineLauncher, integer, type LaunchedJob, type Launcher } from '@bulwark/core';
import { z } from 'zod';
import { mayLive, processOwner, type ProcessOwner } from './process-owner.js';

/** What a handle holds: which process it is, and which GPU it was given. */
type Handle = ProcessOwner & { readonly gpu?: number };

const parse = (handle: string) => JSON.parse(handle) as Handle;

interface Options {
  readonly jobs: number;
  readonly gpus: readonly number[];
}

/** Cores, and GPUs if there are any, shared out among so many jobs; what the user has set stays. */
function environment({ jobs }: Options, gpu: number | undefined): NodeJS.ProcessEnv {
  const share = String(Math.max(1, Math.floor(availableParallelism() / jobs)));
  return {
    ...process.env,
    ...(jobs > 1 && { BULWARK_THREADS: process.env['BULWARK_THREADS'] ?? share }),
    ...(gpu !== undefined && { CUDA_VISIBLE_DEVICES: String(gpu) }),
  };
}

function createLocal(options: Options): Launcher {
  const { jobs, gpus } = options;
  const live = new Set<string>();
  const look = (handle: string): LaunchedJob => {
    const owner = parse(handle);
    if (!mayLive(owner)) {
      live.delete(handle);
      return { state: 'gone' };
    }
    live.add(handle);
    return { state: 'running', note: `process ${owner.pid}` };
  };
  /** The GPU that the fewest jobs at work have. */
  const freeGpu = () => {
    const used = [...live].map((handle) => parse(handle).gpu);
    const count = (gpu: number) => used.filter((one) => one === gpu).length;
    return gpus.toSorted((a, b) => count(a) - count(b))[0];
  };
  return {
    description: `${jobs} at a time on this machine`,
    capacity: jobs,
    pollSeconds: 0.3,
    settleSeconds: 0,
    attached: true,
    async submit(waiting, record) {
      for (const job of waiting) {
        const [program, ...arguments_] = job.command;
        const gpu = freeGpu();
        const log = openSync(job.log, 'a');
        // in a process group of its own: Ctrl-C reaches it through this process, and it outlives this process if need be
        const child = spawn(program!, arguments_, {
          cwd: job.folder,
          detached: true,
          stdio: ['ignore', log, log],
          env: environment(options, gpu),
        });
        closeSync(log);
        await new Promise<void>((resolve, reject) => {
          child.once('spawn', resolve);
          child.once('error', (cause) =>
            reject(
              new BulwarkError('LAUNCHER_UNAVAILABLE', `${program} does not start: ${cause.message}`, {
                hint: 'free memory or processes, or run fewer jobs at the same time',
                cause,
              }),
            ),
          );
        });
        const handle = JSON.stringify({ ...processOwner(child.pid), ...(gpu !== undefined && { gpu }) });
        live.add(handle);
        record(job, handle);
      }
      return { taken: waiting.length };
    },
    look: async (handles) => handles.map(look),
    async cancel(handles) {
      for (const owner of handles.map(parse).filter(mayLive)) process.kill(owner.pid, 'SIGTERM');
    },
  };
}

/** The launcher `local`. */
export const local = defineLauncher({
  name: 'local',
  summary: 'Processes of this machine, so many at a time, cores and GPUs shared out among them.',
  options: {
    jobs: integer({ min: 1 }).default(1).describe('jobs at the same time'),
    gpus: z
      .array(integer({ min: 0 }))
      .default([])
      .describe('numbers of GPUs to give one of to each job (CUDA_VISIBLE_DEVICES); default: all jobs see all'),
  },
  create: createLocal,
});
