import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRandom, evaluate, startRun, useEngine } from '@bulwark/core';
import { openRunFolder } from '@bulwark/core/run';
import { writeNpz } from '@bulwark/datasets';
import { openTarget } from '../evaluate/open-target.js';
import { temporaryFolder, testRegistry } from './testing.js';

const folder = temporaryFolder();
beforeAll(() => useEngine('wasm'));
afterAll(() => rmSync(folder, { recursive: true }));

const count = 24;
const random = createRandom(5, 'images');
const image = Uint8Array.from({ length: count * 36 }, () => random.integer(256));

/** The same images for training and testing, a model that does not move: both must find the same accuracy. */
async function run(name: string, label: Int32Array) {
  const arrays = { image: { shape: [count, 6, 6, 1], data: image }, label: { shape: [count], data: label } };
  writeFileSync(join(folder, `${name}.npz`), writeNpz(arrays));
  const warnings: string[] = [];
  const handle = await startRun(
    {
      name,
      engine: 'wasm',
      epochs: 1,
      data: { use: 'npz', classes: 2, train: `${name}.npz`, test: `${name}.npz`, validation: 0, batchSize: 5 },
      model: 'mlp',
      threat: { epsilon: 0.1 },
      objective: 'natural',
      optimizer: { learningRate: 1e-20 },
      evaluation: { attacks: [] },
    },
    {
      registry: testRegistry(),
      baseFolder: folder,
      folder: () => join(folder, name),
      warn: (text) => void warnings.push(text),
    },
  );
  const { summary } = await handle.train();
  handle.dispose();
  const { train } = openRunFolder(join(folder, name)).readMetrics()[0]!;
  const target = await openTarget(join(folder, name), {}, { registry: testRegistry(), warn: () => undefined });
  const threat = { ...target.services.threat };
  const evaluated = await evaluate({
    model: target.model,
    data: target.data.test,
    attacks: [target.services.make('attack', { use: 'fgsm' })],
    threat,
    batchSize: 5,
    seed: 0,
    tier: 'custom',
  });
  target.model.dispose();
  return { train, summary: summary!, evaluated, warnings };
}

describe('images without a label', () => {
  it.each([
    ['a third of them', Int32Array.from({ length: count }, (_, i) => (i % 3 === 0 ? -1 : i % 2))],
    // of the batches of 5, in whatever order, most have no label at all
    ['all but two', Int32Array.from({ length: count }, (_, i) => (i < 2 ? 0 : -1))],
    ['none', Int32Array.from({ length: count }, (_, i) => i % 2)],
  ])('are neither right nor wrong in training, summary and evaluation: %s', async (what, labels) => {
    const { train, summary, evaluated, warnings } = await run(what.replaceAll(' ', '-'), labels);
    const labelled = labels.filter((label) => label >= 0).length;
    expect(evaluated.data.count).toBe(labelled);
    expect(summary.images).toBe(labelled);
    expect(summary.last.accuracy!['clean']).toBeCloseTo(evaluated.clean.accuracy, 9);
    expect(train['natural.accuracy']).toBeCloseTo(evaluated.clean.accuracy, 6);
    expect(train['natural.crossEntropy']).toBeGreaterThan(0.3);
    const said =
      labelled < count
        ? ['test', 'training'].map((part) => `${count - labelled} of ${count} ${part} images have no label`)
        : [];
    expect(warnings.filter((text) => text.includes('no label')).map((text) => text.split(';')[0])).toEqual(said);
  });
});
