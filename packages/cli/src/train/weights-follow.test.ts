import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createNetwork, defineModel, networkGraph, resumeRun, startRun, useEngine } from '@bulwark/core';
import { saveWeights } from '@bulwark/models';
import { openTarget } from '../evaluate/open-target.js';
import { temporaryFolder, testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

/** Numbers drawn for weights: a model that tells what its generator gave. */
const drawn: number[] = [];
beforeEach(() => void drawn.splice(0));

const model = defineModel({
  name: 'telling',
  summary: 'A linear model that tells what it draws.',
  create({}, { inputShape, classNames, random }) {
    const graph = networkGraph([...inputShape], (g) =>
      g.linear('fc', g.flatten(g.input), { units: classNames.length }),
    );
    const generator = random('initialisation');
    const uniform: typeof generator.uniform = (shape, low, high) => {
      const values = generator.uniform(shape, low, high);
      drawn.push(...values.dataSync());
      return values as never;
    };
    return createNetwork(graph, { name: 'telling', random: { ...generator, uniform } });
  },
});

const registry = () => testRegistry().register(model);
const start = (over: Record<string, unknown> = {}) => {
  const folder = join(temporaryFolder(), 'run');
  const config = tinyConfig({ model: 'telling', objective: 'natural', ...over });
  return startRun(config, { registry: registry(), baseFolder: folder, folder: () => folder });
};

describe('initial weights', () => {
  it('are drawn for a new run, and by no one whose weights come from a checkpoint or a file', async () => {
    const run = await start({ epochs: 1 });
    expect(new Set(drawn).size).toBeGreaterThan(100);
    await run.train();
    const path = run.folder.path;
    const file = join(path, 'weights.safetensors');
    saveWeights(run.parts.model, file);
    run.dispose();

    const opening = { registry: registry(), warn: () => undefined };
    const flags = { model: 'telling', data: 'tiny', epsilon: '0.1', engine: 'wasm' };
    for (const open of [
      async () => (await resumeRun(path, { registry: registry() })).dispose(),
      async () => (await openTarget(path, {}, opening)).model.dispose(),
      async () => (await openTarget(file, flags, opening)).model.dispose(),
    ]) {
      drawn.splice(0);
      await open();
      expect(new Set(drawn)).toEqual(new Set([0]));
    }
  });

  it('are drawn again by a run that was stopped before its first checkpoint', async () => {
    const run = await start();
    const path = run.folder.path;
    const first = [...drawn];
    run.dispose();
    rmSync(join(path, 'checkpoints'), { recursive: true, force: true });
    drawn.splice(0);
    (await resumeRun(path, { registry: registry() })).dispose();
    expect(drawn).toEqual(first);
  });
});

describe('the weights that a model names in its options', () => {
  it('are not read again where others replace them', async () => {
    const first = await start({ model: { use: 'mlp', width: 4 }, epochs: 1 });
    const file = join(temporaryFolder(), 'pretrained.safetensors');
    saveWeights(first.parts.model, file);
    first.dispose();
    const run = await start({ model: { use: 'mlp', width: 4, weights: file }, epochs: 1 });
    await run.train();
    run.dispose();
    rmSync(file);
    (await resumeRun(run.folder.path, { registry: registry() })).dispose();
    await expect(start({ model: { use: 'mlp', width: 4, weights: file } })).rejects.toThrow(/pretrained/);
  });
});
