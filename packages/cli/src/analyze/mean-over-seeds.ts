import type { EpochMetrics } from '@bulwark/core';
import { digestOf } from '@bulwark/core/files';
import { computesOf } from '../compare/computes.js';
import type { RunRecord } from '../report/read-run.js';

/** Runs of one config with several seeds. */
function groups(runs: readonly RunRecord[]): RunRecord[][] {
  const byConfig = new Map<string, RunRecord[]>();
  for (const run of runs) {
    const key = digestOf(computesOf(run.config));
    byConfig.set(key, [...(byConfig.get(key) ?? []), run]);
  }
  return [...byConfig.values()];
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means of the validation accuracies over the epochs that all runs have finished. */
function meanMetrics(runs: readonly RunRecord[]): EpochMetrics[] {
  const epochs = Math.min(...runs.map(({ metrics }) => metrics.length));
  return runs[0]!.metrics.slice(0, epochs).map((first, i) => {
    if (!first.validation) return first;
    const labels = Object.keys(first.validation);
    const of = (label: string) => runs.flatMap(({ metrics }) => metrics[i]!.validation?.[label] ?? []);
    return { ...first, validation: Object.fromEntries(labels.map((label) => [label, mean(of(label))])) };
  });
}

/** One record per config: validation accuracies are means over its seeds. Called by method where that tells them apart. */
export function meanOverSeeds(runs: readonly RunRecord[]): RunRecord[] {
  const means = groups(runs).map((same) => ({ ...same[0]!, label: same[0]!.config.name, metrics: meanMetrics(same) }));
  return means.map((run) => {
    const twins = means.filter(({ method }) => method === run.method);
    return twins.length === 1 ? { ...run, label: run.method } : run;
  });
}
