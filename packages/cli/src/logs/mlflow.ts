import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, defineCallback, integer, number, type Callback, type RunStarted } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { z } from 'zod';
import { mlflowServer, type MlflowServer } from './mlflow-server.js';
import { epochScalars, stepScalars } from './scalars.js';

interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

/** What one request may hold, by MLflow's documentation; keys and values of parameters are cut to theirs. */
const mostMetrics = 1000;
const mostParameters = 100;
const longestKey = 250;
const longestValue = 500;

/** Options by dotted path: `objective.beta`. */
function flat(value: unknown, path = ''): [string, string][] {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null) return [[path, String(value)]];
  if (Array.isArray(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, entry]) => flat(entry, path ? `${path}.${key}` : key));
}

const pieces = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

/** The run that this run folder was logged as before, so that a resumed run goes on in it. */
const remembered = (file: string): string | undefined => {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { runId?: string }).runId;
  } catch {
    return undefined; // none yet
  }
};

/** Finds or creates the experiment. */
async function experimentId(server: MlflowServer, name: string): Promise<string> {
  const found = await server.get('experiments/get-by-name', { experiment_name: name });
  if (found) return (found as { experiment: { experiment_id: string } }).experiment.experiment_id;
  return ((await server.post('experiments/create', { name })) as { experiment_id: string }).experiment_id;
}

/** Creates a run with its parameters. */
async function createRun(server: MlflowServer, run: RunStarted, experiment: string): Promise<string> {
  const made = (await server.post('runs/create', {
    experiment_id: await experimentId(server, experiment),
    run_name: run.name,
    start_time: Date.now(),
    tags: [{ key: 'mlflow.source.name', value: 'bulwark' }],
  })) as { run: { info: { run_id: string } } };
  const runId = made.run.info.run_id;
  const params = flat(run.config).map(([key, value]) => ({
    key: key.slice(0, longestKey),
    value: value.slice(0, longestValue),
  }));
  for (const some of pieces(params, mostParameters))
    await server.post('runs/log-batch', { run_id: runId, params: some });
  return runId;
}

function logger(options: { uri?: string; experiment: string; every: number; timeout: number }): Callback {
  const { experiment, every, timeout } = options;
  let server: MlflowServer;
  let runId: string;
  let waiting: Metric[] = [];
  const add = (step: number, values: Readonly<Record<string, number>>) => {
    const timestamp = Date.now();
    // JSON has no NaN
    for (const [key, value] of Object.entries(values))
      if (Number.isFinite(value)) waiting.push({ key: key.replace(/[^\w\-. /]/g, '_'), value, timestamp, step });
  };
  const flush = async () => {
    const metrics = waiting;
    waiting = [];
    for (const some of pieces(metrics, mostMetrics))
      await server.post('runs/log-batch', { run_id: runId, metrics: some });
  };
  return {
    async start(run) {
      server = mlflowServer(options.uri, { timeout, opened: run.opened });
      const file = join(run.folder, 'mlflow.json');
      const before = remembered(file);
      runId = before ?? (await createRun(server, run, experiment));
      if (before) await server.post('runs/update', { run_id: runId, status: 'RUNNING' });
      else writeAtomically(file, `${JSON.stringify({ runId, experiment })}\n`);
    },
    async step(seen) {
      if (every === 0 || seen.position % every !== 0) return;
      add(seen.position, stepScalars(seen));
      if (waiting.length >= mostMetrics) await flush();
    },
    async epoch({ metrics }) {
      add(metrics.steps, epochScalars(metrics));
      await flush();
    },
    async end({ reason, summary }) {
      if (!server) return;
      for (const at of ['best', 'last'] as const)
        for (const [name, value] of Object.entries(summary?.[at]?.accuracy ?? {}))
          add(summary!.last.steps, { [`final/${at}.${name}`]: value });
      await flush();
      const status = { finished: 'FINISHED', interrupted: 'KILLED', failed: 'FAILED' }[reason];
      await server.post('runs/update', { run_id: runId, status, end_time: Date.now() });
    },
  };
}

/** MLflow's tracking server, through its REST API. */
export const mlflow = defineCallback({
  name: 'mlflow',
  summary: 'Logs to an MLflow tracking server: options as parameters, numbers of steps and epochs as metrics.',
  options: {
    uri: z
      .string()
      .optional()
      .describe(
        'address of the tracking server, http or https; default: MLFLOW_TRACKING_URI. Nothing else is contacted',
      ),
    experiment: z.string().min(1).default('bulwark').describe('name of the experiment; created if it is not there'),
    every: integer({ min: 0 }).default(10).describe('log every n-th step; 0 for epochs only'),
    timeout: number({ above: 0 }).default(30).describe('longest wait for an answer, in seconds'),
  },
  create: (options) => {
    if (options.uri !== undefined && !/^https?:\/\/[^/@]+(\/|$)/.test(options.uri))
      throw new BulwarkError(
        'CONFIG_INVALID',
        `mlflow: uri is ${JSON.stringify(options.uri)}, which is no http or https address without a name and password`,
        {
          hint: 'write it as http://localhost:5000',
        },
      );
    return logger(options);
  },
});
