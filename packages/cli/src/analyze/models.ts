import { spread, BulwarkError, countOf, subset, type ImageSet } from '@bulwark/core';
import { openTarget, type Target } from '../evaluate/open-target.js';
import { builtinRegistry } from '../registry.js';
import { readRuns, type RunRecord } from '../report/read-run.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { percent, type Output } from '../terminal/output.js';
import logUpdate from 'log-update';
import { whole, type ModelFlags } from './flags.js';

/** A run's model with the test images to look at. */
export interface AnalysedModel {
  readonly run: RunRecord;
  readonly target: Target;
  readonly set: ImageSet;
  readonly batchSize: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly progress: (share: number) => void;
}

/** Works with the model of each run, one after the other, showing how far it is; Ctrl-C stops between two batches. */
export async function withModels<T>(
  paths: readonly string[],
  given: { flags: ModelFlags; output: Output },
  work: (model: AnalysedModel) => Promise<T>,
): Promise<T[]> {
  const { flags, output } = given;
  const images = whole('images', flags.images);
  const batchSize = whole('batch', flags.batch);
  const seed = whole('seed', flags.seed, 0);
  const warn = (text: string) => output.warn(text);
  const runs = await readRuns(paths, warn);
  const live = process.stdout.isTTY && !output.json;
  const interrupt = onInterrupt(output);
  const results: T[] = [];
  try {
    for (const run of runs) {
      const target = await openTarget(run.path, flags, { registry: builtinRegistry(), warn });
      const { test } = target.data;
      output.line(`${run.label}: ${target.what}, engine ${target.engine.name}`);
      const set = subset(test, spread(countOf(test), images));
      const progress = (share: number) => void (live && logUpdate(`${run.label}  ${percent(share)}%`));
      results.push(await work({ run, target, set, batchSize, seed, progress, signal: interrupt.signal }));
      target.model.dispose();
      if (live) logUpdate.clear();
    }
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    throw new BulwarkError('INTERRUPTED', 'stopped on request; nothing was written', { hint: 'run the command again' });
  } finally {
    interrupt.release();
  }
  return results;
}
