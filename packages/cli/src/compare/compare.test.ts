import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { RunConfig, RunSummary } from '@bulwark/core';
import { temporaryFolder } from '../train/testing.js';
import { render } from './formats.js';
import { compareRuns } from './group.js';
import { readRuns, type FinishedRun } from './read-runs.js';

const threat = { norm: 'linf', epsilon: 8 / 255 };

const run = (name: string, seed: number, accuracy: Record<string, number>, over: object = {}): FinishedRun => ({
  path: `runs/${name}/seed-${seed}`,
  config: { name, seed, threat, objective: { use: name, beta: 6 }, ...over } as unknown as RunConfig,
  summary: {
    name,
    seed,
    split: 'test',
    images: 1000,
    best: { epoch: 2, value: 0.5, metric: 'pgd-20', accuracy },
    last: { epoch: 3, accuracy: { clean: 0.9, 'pgd-20': 0.4 } },
    gap: accuracy['pgd-20']! - 0.4,
  } as unknown as RunSummary,
  evaluations: { best: new Map(), last: new Map() },
});

const runs = [
  run('at', 1, { clean: 0.84, 'pgd-20': 0.5, 'pgd-100': 0.49, fgsm: 0.55 }),
  run('at', 2, { clean: 0.85, 'pgd-20': 0.52, 'pgd-100': 0.5, fgsm: 0.57 }),
  run('at', 3, { clean: 0.86, 'pgd-20': 0.51, 'pgd-100': 0.5, fgsm: 0.56 }),
  run('st', 1, { clean: 0.83, 'pgd-20': 0.55, 'pgd-100': 0.54, fgsm: 0.6 }),
];

describe('a comparison of runs', () => {
  it("takes the mean over seeds, with the interval of Student's t", () => {
    const { rows, columns } = compareRuns(runs, { checkpoint: 'best' });
    expect(columns).toEqual(['clean', 'fgsm', 'pgd-20', 'pgd-100', 'gap']);
    expect(rows.map(({ method, seeds }) => [method, seeds])).toEqual([
      ['at', [1, 2, 3]],
      ['st', [1]],
    ]);
    const { mean, halfWidth } = rows[0]!.estimates['pgd-20']!;
    expect(mean).toBeCloseTo(0.51, 12);
    // standard deviation 0.01, t with 2 degrees of freedom 4.30265, three seeds
    expect(halfWidth).toBeCloseTo((4.30265 * 0.01) / Math.sqrt(3), 6);
    expect(rows[1]!.estimates['pgd-20']).toEqual({ mean: 0.55, values: [0.55] });
    expect(rows[0]!.estimates['gap']!.mean).toBeCloseTo(0.11, 12);
  });

  it('can be made of the last checkpoints', () => {
    const { rows, columns } = compareRuns(runs, { checkpoint: 'last' });
    expect(columns).toEqual(['clean', 'pgd-20', 'gap']);
    expect(rows[0]!.estimates['clean']!.mean).toBeCloseTo(0.9, 12);
  });

  it('tells groups of the same name apart by what differs in their configs', () => {
    const other = [1, 2].map((seed) =>
      run('at', seed, { clean: 0.8, 'pgd-20': 0.5 }, { objective: { use: 'at', beta: 8 } }),
    );
    const { rows } = compareRuns([...runs.slice(0, 3), ...other], { checkpoint: 'best' });
    expect(rows.map(({ method }) => method)).toEqual(['at (objective.beta 6)', 'at (objective.beta 8)']);
  });

  it('refuses the same seed twice, and numbers from different images', () => {
    const again = { ...runs[0]!, path: 'runs/copy' };
    expect(() => compareRuns([...runs, again], { checkpoint: 'best' })).toThrow(
      'are the same config with the same seed 1',
    );
    const fewer = { ...runs[1]!, summary: { ...runs[1]!.summary, images: 100 } };
    expect(() => compareRuns([runs[0]!, fewer], { checkpoint: 'best' })).toThrow(
      'was measured on 100 test images, runs/at/seed-1 on 1000',
    );
  });

  it('takes the most thorough evaluation that all runs have', () => {
    const evaluated = (which: FinishedRun, names: Record<string, number>): FinishedRun => {
      const best = Object.entries(names).map(([name, worst]) => [name, measured(worst)] as const);
      return { ...which, evaluations: { best: new Map(best), last: new Map() } };
    };
    const measured = (worst: number) => ({
      accuracy: { clean: 0.8, autoattack: worst, worst },
      split: 'evaluated',
      images: 100,
      threat: 'linf 8/255',
    });
    const both = [
      evaluated(runs[0]!, { 'quick-linf-0.0314': 0.5, 'full-linf-0.0314': 0.47 }),
      evaluated(runs[1]!, { 'quick-linf-0.0314': 0.5, 'full-linf-0.0314': 0.49 }),
    ];
    const { source, columns, rows } = compareRuns(both, { checkpoint: 'best' });
    expect(source).toBe('full-linf-0.0314');
    expect(columns).toEqual(['clean', 'autoattack', 'worst', 'gap']);
    expect(rows[0]!.estimates['autoattack']!.mean).toBeCloseTo(0.48, 12);
    expect(compareRuns([...both, runs[2]!], { checkpoint: 'best' }).source).toBe('summary');
    expect(() => compareRuns(both, { checkpoint: 'last', source: 'full-linf-0.0314' })).toThrow(
      'not every run has full-linf-0.0314 of its last checkpoint; they share summary',
    );
  });

  it('takes of a curve the radius that was trained for, and names it', () => {
    const at = (bytes: number) => ({
      ...{ accuracy: { clean: 0.8, worst: 0.4 }, split: 'evaluated', images: 100, threat: `linf ${bytes}/255` },
    });
    const best = new Map([2, 4, 8, 16].map((bytes) => [`full-linf-${(bytes / 255).toFixed(4)}`, at(bytes)]));
    const comparison = compareRuns([{ ...runs[0]!, evaluations: { best, last: new Map() } }], { checkpoint: 'best' });
    expect(comparison.source).toBe('full-linf-0.0314');
    expect(render(comparison, 'markdown')).toContain('attacks within linf 8/255, best checkpoint');
  });

  it('names runs that lack a number, and those for which a more thorough evaluation could not be taken', () => {
    const [first, second, third, other] = runs as [FinishedRun, FinishedRun, FinishedRun, FinishedRun];
    const few = run('at', 2, { clean: 0.85, 'pgd-20': 0.5 });
    const comparison = compareRuns([first, few, third, other], { checkpoint: 'best' });
    expect(comparison.lacking).toEqual([{ run: 'runs/at/seed-2', columns: ['fgsm', 'pgd-100'] }]);
    expect(Object.keys(comparison.rows[0]!.estimates)).toEqual(['clean', 'pgd-20', 'gap']);
    expect(render(comparison, 'markdown')).toContain('Not measured: FGSM, PGD-100 of runs/at/seed-2.');
    const measured = { accuracy: { clean: 0.8, worst: 0.4 }, split: 'evaluated', images: 10000, threat: 'linf 8/255' };
    const full = { ...other, evaluations: { best: new Map([['full-linf-0.0314', measured]]), last: new Map() } };
    const { passedOver, source, lacking } = compareRuns([first, second, full], { checkpoint: 'best' });
    expect(source).toBe('summary');
    expect(lacking).toEqual([]);
    expect(passedOver).toEqual({ source: 'full-linf-0.0314', without: ['runs/at/seed-1', 'runs/at/seed-2'] });
  });

  it('is written as Markdown, CSV, LaTeX and JSON', () => {
    const comparison = compareRuns(runs, { checkpoint: 'best' });
    expect(render(comparison, 'markdown').split('\n').slice(0, 4)).toEqual([
      '| Method | Seeds | Natural | FGSM | PGD-20 | PGD-100 | Best - last |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      '| at | 3 | 85.00 ± 2.48 | 56.00 ± 2.48 | 51.00 ± 2.48 | 49.67 ± 1.43 | 11.00 ± 2.48 |',
      '| st | 1 | 83.00 | 60.00 | 55.00 | 54.00 | 15.00 |',
    ]);
    expect(render(comparison, 'csv').split('\n')[0]).toBe('method,column,n,mean,half_width_95,seeds');
    expect(render(comparison, 'csv')).toContain('st,fgsm,1,0.6,,1');
    expect(render(comparison, 'latex')).toContain('  at & $85.00 \\pm 2.48$ & $56.00 \\pm 2.48$ &');
    expect(JSON.parse(render(comparison, 'json'))).toMatchObject({ checkpoint: 'best', rows: [{ method: 'at' }, {}] });
  });

  it('names a folder that holds no run', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'empty'));
    writeFileSync(join(folder, 'file'), '');
    await expect(readRuns([folder], () => undefined)).rejects.toThrow(`${folder} is not a run folder and holds none`);
  });
});
