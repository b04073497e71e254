import { describe, expect, it } from '@jest/globals';
import type { EpochMetrics, RunConfig } from '@bulwark/core';
import { groupRuns } from './groups.js';
import type { RunRecord } from './read-run.js';
import { curveOf } from './sections/together.js';

const run = (name: string, seed: number, clean: readonly (number | undefined)[], folder = 'runs'): RunRecord =>
  ({
    path: `${folder}/${name}/seed-${seed}`,
    label: `${name} seed ${seed}`,
    method: 'at',
    config: { name, seed, objective: { use: 'at' } } as unknown as RunConfig,
    metrics: clean.map(
      (value, i) =>
        ({ epoch: i + 1, validation: value === undefined ? {} : { clean: value } }) as unknown as EpochMetrics,
    ),
  }) as unknown as RunRecord;
const cleanOf = ({ validation }: EpochMetrics) => validation?.['clean'];

describe('runs of one config', () => {
  it('are one group where their seeds differ, and stay apart where a seed was repeated', () => {
    const labels = (...runs: RunRecord[]) => groupRuns(runs).map(({ label }) => label);
    expect(labels(run('at', 1, []), run('at', 2, []), run('st', 1, []))).toEqual(['at, 2 seeds', 'st seed 1']);
    expect(labels(run('at', 1, []), { ...run('at', 1, []), label: 'again' })).toEqual(['at seed 1', 'again']);
    const changed = run('at', 3, []);
    Object.assign(changed.config, { epochs: 9 });
    expect(labels(run('at', 1, []), run('at', 2, []), changed)).toEqual(['at, 2 seeds', 'at seed 3']);
  });

  it('have the mean of their seeds as line and the lowest and highest as band, where all have numbers', () => {
    const [group] = groupRuns([
      run('at', 1, [0.1, 0.2, 0.3]),
      run('at', 2, [0.3, undefined, 0.5]),
      run('at', 3, [0.2, 0.4, 0.7]),
    ]);
    const { points, bands } = curveOf(group!, cleanOf);
    expect(points.map(({ x }) => x)).toEqual([1, 3]);
    expect(points[0]!.y).toBeCloseTo(0.2, 12);
    expect(points[1]!.y).toBeCloseTo(0.5, 12);
    expect(bands).toEqual([
      { series: 'at, 3 seeds', x: 1, low: 0.1, high: 0.3 },
      { series: 'at, 3 seeds', x: 3, low: 0.3, high: 0.7 },
    ]);
  });

  it('have no band alone', () => {
    const [group] = groupRuns([run('at', 1, [0.1, 0.2])]);
    expect(curveOf(group!, cleanOf).bands).toEqual([]);
  });
});
