import { readRun, type FoundEvaluation, type RunRecord } from '../report/read-run.js';

export type { FoundEvaluation };

/** Everything that a run folder tells; `loadModel` loads its model. */
export type LoadedRun = Pick<RunRecord, 'path' | 'config' | 'metrics' | 'timings' | 'summary' | 'evaluations'>;

/**
 * Reads a run folder, finished or not: config, metrics of each epoch, summary, evaluations. Starts no engine and runs nothing.
 * @throws BulwarkError RUN_MISSING, RUN_CORRUPT
 */
export async function loadRun(path: string, options: { warn?: (message: string) => void } = {}): Promise<LoadedRun> {
  const { config, metrics, timings, summary, evaluations } = await readRun(path, options.warn ?? (() => {}));
  return { path, config, metrics, timings, ...(summary && { summary }), evaluations };
}
