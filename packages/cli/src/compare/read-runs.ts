import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BulwarkError, openRunFolder, type RunConfig, type RunSummary } from '@bulwark/core';

/** A finished run, as far as a comparison needs it. */
export interface FinishedRun {
  readonly path: string;
  readonly config: RunConfig;
  readonly summary: RunSummary;
}

const isRun = (path: string) => existsSync(join(path, 'config.json'));

/** Run folders, or folders of run folders (as `train --seeds` makes them). @throws BulwarkError RUN_MISSING */
function expand(path: string): string[] {
  if (isRun(path)) return [path];
  const inside = existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
  const found = inside.filter(isRun).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  if (found.length === 0)
    throw new BulwarkError('RUN_MISSING', `${path} is not a run folder and holds none`, {
      cure: 'give folders that `bulwark train` wrote, for example runs/<name>',
    });
  return found;
}

/** Reads runs; those that are not finished are reported, because their numbers would be those of a lucky moment. */
export function readRuns(paths: readonly string[], warn: (message: string) => void): FinishedRun[] {
  const folders = [...new Set(paths.flatMap(expand))];
  const runs = folders.flatMap((path) => {
    const folder = openRunFolder(path);
    const summary = folder.readSummary() as unknown as RunSummary | undefined;
    if (summary) return [{ path, config: folder.frozen.config, summary }];
    warn(`${path} is not finished and left out; go on with: bulwark train --resume ${path}`);
    return [];
  });
  if (runs.length === 0)
    throw new BulwarkError('RUN_MISSING', `none of ${folders.length} runs is finished`, {
      cure: 'let at least one run finish first',
    });
  return runs;
}
