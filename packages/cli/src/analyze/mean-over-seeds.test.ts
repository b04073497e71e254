import { expect, it } from '@jest/globals';
import type { RunConfig } from '@bulwark/core';
import type { RunRecord } from '../report/read-run.js';
import { meanOverSeeds } from './mean-over-seeds.js';

const run = (method: string, seed: number, clean: number[], beta = 6) =>
  ({
    label: `${method} seed ${seed}`,
    method,
    config: { name: method, seed, objective: { use: method, beta } } as unknown as RunConfig,
    metrics: clean.map((value, i) => ({ epoch: i + 1, validation: { clean: value } })),
  }) as unknown as RunRecord;

it('curves of several seeds become their mean, over the epochs that all have', () => {
  const means = meanOverSeeds([run('at', 1, [0.2, 0.4, 0.6]), run('st', 1, [0.5]), run('at', 2, [0.4, 0.6])]);
  expect(means.map(({ label }) => label)).toEqual(['at', 'st']);
  expect(means[0]!.metrics.map(({ validation }) => validation!['clean']!.toFixed(6))).toEqual(['0.300000', '0.500000']);
});

it('other configs of one method stay apart', () => {
  const means = meanOverSeeds([run('at', 1, [0.2]), run('at', 1, [0.4], 8)]);
  expect(means).toHaveLength(2);
});
