import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, type RunServices } from '@bulwark/core';
import { digestOf } from '@bulwark/core/files';
import { checkConfig, checkRun, openRunFolder } from '@bulwark/core/run';
import { checkJobs, runJobs, type Job, type Launch } from '../launch/index.js';
import { onInterrupt } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';
import { pluginFlags } from '../trust/policy.js';

/**
 * Reads `1..7`, `3`, `1,2,5` and mixtures.
 * @throws BulwarkError USAGE
 */
export function parseSeeds(text: string): number[] {
  const seeds = text.split(',').flatMap((part) => {
    const [, first, last] = /^\s*(\d+)(?:\.\.(\d+))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last ?? first)];
    if (first === undefined || to < from)
      throw new BulwarkError('USAGE', `--seeds ${text}: ${JSON.stringify(part)} is no seed or range`, {
        hint: 'write --seeds 1..7 or --seeds 1,2,5',
      });
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(seeds)];
}

interface SeedsJob {
  readonly services: RunServices & { baseFolder: string };
  readonly folder: (name: string) => string;
  /** Config file and overrides, as they were given. */
  readonly arguments: readonly string[];
  /** Flags for runs that begin and for runs that go on. */
  readonly always?: readonly string[];
  readonly seeds: readonly number[];
  readonly launch: Pick<Launch, 'launcher' | 'name' | 'open' | 'retries' | 'wait'>;
  readonly output: Output;
}

/** Trains the same config with several seeds, each in a process and folder of its own; runs that have begun are continued. */
export async function trainSeeds(input: unknown, job: SeedsJob): Promise<void> {
  const { seeds, output, services } = job;
  const { config } = await checkRun(input, services);
  const root = job.folder(config.name);
  const folderOf = (seed: number) => join(root, `seed-${seed}`);
  for (const seed of seeds) await checkSame({ ...(input as object), seed }, folderOf(seed), services);

  const { signal, release } = onInterrupt(output);
  const launch: Launch = { ...job.launch, root, output, signal };
  for (const seed of seeds)
    if (isTrained(folderOf(seed))) output.line(`[seed-${seed}] ${folderOf(seed)}: finished already`);
  try {
    const plugins = pluginFlags(config.plugins, services.baseFolder);
    const jobs = seeds.map((seed) => seedJob(seed, folderOf(seed), { ...job, plugins }));
    const result = await runJobs(jobs, launch);
    checkJobs(result, launch);
    if (result.pending.length > 0) return;
  } finally {
    release();
  }
  output.line(`done; next: bulwark compare ${root}`);
  output.result(
    seeds.map((seed) => ({ seed, run: folderOf(seed), summary: openRunFolder(folderOf(seed)).readSummary() })),
  );
}

const isTrained = (folder: string) => existsSync(join(folder, 'summary.json'));

function seedJob(
  seed: number,
  folder: string,
  { arguments: given, always = [], plugins }: SeedsJob & { plugins: readonly string[] },
): Job {
  return {
    id: `seed-${seed}`,
    steps: [
      {
        arguments: ['train', ...given, '--set', `seed=${seed}`, '--out', folder, ...always],
        resume: { when: join(folder, 'config.json'), arguments: ['train', '--resume', folder, ...always, ...plugins] },
        done: join(folder, 'summary.json'),
      },
    ],
    finished: () => isTrained(folder),
  };
}

/** @throws BulwarkError RUN_EXISTS if the folder holds another run; CONFIG_INVALID before any process starts */
async function checkSame(input: unknown, folder: string, services: SeedsJob['services']): Promise<void> {
  const { config, registry } = await checkRun(input, services);
  if (!existsSync(join(folder, 'config.json'))) return;
  const before = checkConfig(openRunFolder(folder).frozen.config, registry, { stored: true });
  const engine = config.engine.use === 'auto' ? config.engine : before.engine; // what `auto` meant stands in the run
  if (digestOf({ ...before, engine, callbacks: config.callbacks }) !== digestOf(config))
    throw new BulwarkError('RUN_EXISTS', `${folder} holds a run with another config`, {
      hint: 'choose another folder with --out, or give the run another name',
    });
}
