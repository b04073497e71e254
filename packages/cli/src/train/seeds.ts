import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, checkConfig, checkRun, digestOf, openRunFolder, type RunServices } from '@bulwark/core';
import { onInterrupt, stoppedOnRequest } from '../terminal/interrupt.js';
import { runBulwark, threadsFor } from '../terminal/child.js';
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
        cure: 'write --seeds 1..7 or --seeds 1,2,5',
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
  readonly jobs: number;
  readonly output: Output;
  /** How this command is started; default: as this process was. */
  readonly command?: readonly string[];
}

interface SeedRun {
  readonly seed: number;
  readonly folder: string;
  readonly arguments: readonly string[];
  readonly finished?: boolean;
}

/** Trains the same config with several seeds, each in a process and folder of its own; runs that have begun are continued. */
export async function trainSeeds(input: unknown, job: SeedsJob): Promise<void> {
  const { seeds, jobs, output } = job;
  const runs: SeedRun[] = [];
  for (const seed of seeds) runs.push(await planRun({ ...(input as object), seed }, seed, job));

  const { signal, release } = onInterrupt(output);
  const waiting = runs.filter(({ finished }) => !finished);
  for (const { seed, folder, finished } of runs)
    if (finished) output.line(`[seed ${seed}] ${folder}: finished already`);
  const failed: SeedRun[] = [];
  const worker = async () => {
    for (let run = waiting.shift(); run && !signal.aborted; run = waiting.shift()) {
      output.line(`[seed ${run.seed}] ${run.folder}`);
      const code = await runBulwark(['train', ...run.arguments, ...(job.always ?? [])], {
        label: `seed ${run.seed}`,
        ...{ output, signal, command: job.command, env: threadsFor(jobs) },
      });
      if (code !== 0 && !signal.aborted) failed.push(run);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, worker));
  release();
  if (signal.aborted) throw stoppedOnRequest();
  if (failed.length > 0)
    throw new BulwarkError(
      'SEEDS_FAILED',
      `${failed.length} of ${runs.length} runs failed: seed ${failed.map(({ seed }) => seed).join(', ')}`,
      {
        cure: 'see their messages above; the same command goes on with what is not finished',
      },
    );
  output.line(`done; next: bulwark compare ${runs.map(({ folder }) => folder).join(' ')}`);
  output.result(runs.map(({ seed, folder }) => ({ seed, run: folder, summary: openRunFolder(folder).readSummary() })));
}

/** How one seed is trained: anew, or from where its folder stands. Checks the config before any process starts. */
async function planRun(input: unknown, seed: number, job: SeedsJob): Promise<SeedRun> {
  const { config, registry } = await checkRun(input, job.services);
  const folder = join(job.folder(config.name), `seed-${seed}`);
  if (!existsSync(join(folder, 'config.json')))
    return { seed, folder, arguments: [...job.arguments, '--set', `seed=${seed}`, '--out', folder] };
  const begun = openRunFolder(folder);
  const before = checkConfig(begun.frozen.config, registry);
  const engine = config.engine.use === 'auto' ? config.engine : before.engine; // what `auto` meant stands in the run
  if (digestOf({ ...before, engine }) !== digestOf(config))
    throw new BulwarkError('RUN_EXISTS', `${folder} holds a run with another config`, {
      cure: 'choose another folder with --out, or give the run another name',
    });
  const plugins = pluginFlags(config.plugins, job.services.baseFolder);
  return { seed, folder, arguments: ['--resume', folder, ...plugins], finished: begun.readSummary() !== undefined };
}
