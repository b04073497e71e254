import { basename, join, relative } from 'node:path';
import {
  BulwarkError,
  type CorruptionResult,
  type EpochMetrics,
  type EpochTiming,
  type EvaluationResult,
  type FrozenConfig,
  type RunConfig,
  type RunSummary,
} from '@bulwark/core';
import { loadCorruptions, loadEvaluation } from '@bulwark/core/evaluation';
import { openRunFolder } from '@bulwark/core/run';
import { filesBelow, runFolders } from '../run-folders.js';

/** An evaluation that was found in a run folder. */
export interface FoundEvaluation {
  /** Relative to the run folder. */
  readonly file: string;
  readonly checkpoint: string;
  readonly result: EvaluationResult;
}

/** Accuracies under common corruptions that were found in a run folder. */
export interface FoundCorruptions {
  readonly checkpoint: string;
  readonly result: CorruptionResult;
}

/** Everything that a run folder tells, finished or not. */
export interface RunRecord {
  readonly path: string;
  /** The run's name; where several runs share it, with what tells them apart. */
  readonly label: string;
  readonly config: RunConfig;
  readonly frozen: FrozenConfig;
  /** Objective and weight perturber: `st`, `trades+awp`. */
  readonly method: string;
  readonly metrics: readonly EpochMetrics[];
  readonly timings: readonly EpochTiming[];
  readonly summary?: RunSummary;
  readonly evaluations: readonly FoundEvaluation[];
  readonly corruptions: readonly FoundCorruptions[];
  /** Label of the accuracy under attack that the run is followed by. */
  readonly robust?: string;
}

export const methodOf = ({ objective, weightPerturber }: RunConfig): string =>
  weightPerturber ? `${objective.use}+${weightPerturber.use}` : objective.use;

async function readEvaluations(path: string, warn: (text: string) => void): Promise<FoundEvaluation[]> {
  const root = join(path, 'evaluation');
  const found: FoundEvaluation[] = [];
  for (const name of filesBelow(root, '.json')) {
    const file = join(root, name);
    try {
      const result = await loadEvaluation(file);
      const checkpoint = name.startsWith('last') ? 'last' : 'best';
      if (result) found.push({ file: relative(path, file), checkpoint, result });
    } catch (error) {
      if (!(error instanceof BulwarkError)) throw error;
      warn(`${file} is left out: ${error.message}`);
    }
  }
  return found;
}

function readCorruptions(path: string, warn: (text: string) => void): FoundCorruptions[] {
  const root = join(path, 'corruptions');
  return filesBelow(root, '.json').flatMap((name) => {
    try {
      const result = loadCorruptions(join(root, name));
      const checkpoint = name.startsWith('last') ? 'last' : 'best';
      return result && result.groups.length > 0 ? [{ checkpoint, result }] : [];
    } catch (error) {
      if (!(error instanceof BulwarkError)) throw error;
      warn(`${join(root, name)} is left out: ${error.message}`);
      return [];
    }
  });
}

/** Validation accuracy that stands for robustness: the one that chose the best checkpoint, else the last attack. */
function robustLabel(metrics: readonly EpochMetrics[], summary: RunSummary | undefined): string | undefined {
  const labels = Object.keys(metrics.findLast(({ validation }) => validation)?.validation ?? {});
  if (summary?.selectedBy !== undefined && summary.selectedBy !== 'clean') return summary.selectedBy;
  return labels.findLast((label) => label !== 'clean');
}

/** Reads one run, as far as it has come. @throws BulwarkError RUN_MISSING, RUN_CORRUPT */
export async function readRun(path: string, warn: (text: string) => void): Promise<RunRecord> {
  const folder = openRunFolder(path, { warn });
  const metrics = folder.readMetrics();
  const summary = folder.readSummary() as RunSummary | undefined;
  const { config } = folder.frozen;
  const robust = robustLabel(metrics, summary);
  return {
    path,
    label: config.name,
    config,
    frozen: folder.frozen,
    method: methodOf(config),
    metrics,
    timings: folder.readTimings(),
    ...(summary && { summary }),
    evaluations: await readEvaluations(path, warn),
    corruptions: readCorruptions(path, warn),
    ...(robust !== undefined && { robust }),
  };
}

/** Folders of runs; a path that holds none is opened as a run, which says what is wrong with it. */
const expand = (path: string): string[] => {
  const found = runFolders(path);
  return found.length > 0 ? found : [path];
};

/** The run folders that paths mean at this moment, each once. */
export const foldersOf = (paths: readonly string[]): string[] => [...new Set(paths.flatMap(expand))];

/** Reads runs and gives them labels that differ. */
export async function readRuns(paths: readonly string[], warn: (text: string) => void): Promise<RunRecord[]> {
  const folders = foldersOf(paths);
  const runs = await Promise.all(folders.map((path) => readRun(path, warn)));
  const shared = (label: string) => runs.filter((run) => run.label === label);
  return runs.map((run) => {
    const same = shared(run.label);
    if (same.length === 1) return run;
    const seeds = new Set(same.map(({ config }) => config.seed));
    return {
      ...run,
      label: `${run.label} ${seeds.size === same.length ? `seed ${run.config.seed}` : basename(run.path)}`,
    };
  });
}
