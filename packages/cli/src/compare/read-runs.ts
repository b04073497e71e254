import { basename, join } from 'node:path';
import { BulwarkError, type EvaluationResult, type RunConfig, type RunSummary } from '@bulwark/core';
import { loadEvaluation } from '@bulwark/core/evaluation';
import { openRunFolder } from '@bulwark/core/run';
import { threatText } from '@bulwark/core/threat';
import { filesBelow, runFolders } from '../run-folders.js';

export type Checkpoint = 'best' | 'last';

/** Accuracies of one checkpoint, and the images that they were measured on. */
export interface Measured {
  readonly accuracy: Readonly<Record<string, number>>;
  readonly split: string;
  readonly images: number | undefined;
  /** Norm and radius that were attacked within. */
  readonly threat: string;
}

/** A finished run, as far as a comparison needs it. */
export interface FinishedRun {
  readonly path: string;
  readonly config: RunConfig;
  readonly summary: RunSummary;
  /** What `bulwark evaluate` found, by checkpoint, then by the name of its file (tier, norm and epsilon). */
  readonly evaluations: Readonly<Record<Checkpoint, ReadonlyMap<string, Measured>>>;
}

/** Clean accuracy, each attack, each ensemble after its last stage, and the worst case over all of them. */
function measuredBy({ clean, attacks, worst, data, threat }: EvaluationResult): Measured {
  const byLabel = attacks.map(({ ensemble, label, accuracy }) => [ensemble ?? label, accuracy] as const);
  const accuracy = { clean: clean.accuracy, ...Object.fromEntries(byLabel), worst: worst.accuracy };
  return { accuracy, split: 'evaluated', images: data.count, threat: threatText(threat) };
}

async function readEvaluations(run: string, checkpoint: Checkpoint): Promise<Map<string, Measured>> {
  const folder = join(run, 'evaluation', checkpoint);
  const found = new Map<string, Measured>();
  for (const name of filesBelow(folder, '.json')) {
    const result = await loadEvaluation(join(folder, name));
    if (result?.complete) found.set(basename(name, '.json'), measuredBy(result));
  }
  return found;
}

/** Run folders, or folders of run folders (as `train --seeds` makes them). @throws BulwarkError RUN_MISSING */
function expand(path: string): string[] {
  const found = runFolders(path);
  if (found.length === 0)
    throw new BulwarkError('RUN_MISSING', `${path} is not a run folder and holds none`, {
      hint: 'give folders that `bulwark train` wrote, for example runs/<name>',
    });
  return found;
}

/** Reads runs; those that are not finished are reported, because their numbers would be those of a lucky moment. */
export async function readRuns(paths: readonly string[], warn: (message: string) => void): Promise<FinishedRun[]> {
  const folders = [...new Set(paths.flatMap(expand))];
  const runs: FinishedRun[] = [];
  for (const path of folders) {
    const folder = openRunFolder(path);
    const summary = folder.readSummary() as unknown as RunSummary | undefined;
    if (!summary) {
      warn(`${path} is not finished and left out; go on with: bulwark train --resume ${path}`);
      continue;
    }
    const evaluations = { best: await readEvaluations(path, 'best'), last: await readEvaluations(path, 'last') };
    runs.push({ path, config: folder.frozen.config, summary, evaluations });
  }
  if (runs.length === 0)
    throw new BulwarkError('RUN_MISSING', `none of ${folders.length} runs is finished`, {
      hint: 'let at least one run finish first',
    });
  return runs;
}
