import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { crossEntropy, defineObjective, startRun, useEngine, type Batch, type Plugin } from '@bulwark/core';
import { temporaryFolder, testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

/** Trains an epoch; what its term and its step see of the examples. */
async function seen(over: Record<string, unknown>) {
  const found = { term: [] as number[], step: [] as number[] };
  const note = (list: number[], { indices, labels, targets }: Batch) => {
    // images of class i % 3 stand at position i; mixed ones may be called after their larger part
    if (!targets) expect([...labels.dataSync()]).toEqual([...indices!].map((index) => index % 3));
    list.push(...indices!);
  };
  const watching = defineObjective({
    name: 'watching',
    summary: 'Cross-entropy that notes which examples it sees.',
    create: () => ({
      loss: {
        classification({ z, y, batch, epochs }) {
          if (epochs === 1) note(found.term, batch); // not while it is composed
          return crossEntropy(z.natural, y);
        },
      },
      afterStep: ({ batch }) => note(found.step, batch),
    }),
  });
  const registry = testRegistry().register(watching as unknown as Plugin);
  const config = tinyConfig({ objective: 'watching', epochs: 1, ...over });
  const run = await startRun(config, { registry, baseFolder: '.', folder: () => join(temporaryFolder(), 'run') });
  await run.train();
  run.dispose();
  return found;
}

describe('the positions of examples in the training set', () => {
  it.each([
    ['in whole batches', {}],
    ['in parts', { accumulate: 3 }],
    ['augmented, labels mixed', { augment: ['horizontal-flip', 'mixup'] }],
  ])('stand beside them, %s', async (_, more) => {
    const { term, step } = await seen({ data: { use: 'tiny', batchSize: 16, ...more } });
    expect(term).toEqual(step);
    expect(step.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 48 }, (_, i) => i));
  });
});
