import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineEngine, previewRun, startRun, useEngine, type Plugin, type PreviewOptions } from '@bulwark/core';
import { openRunFolder, validate } from '@bulwark/core/run';
import { restoreModel } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { cardMarkdown } from '../export/card-markdown.js';
import type { ModelCard } from '../export/model-card.js';
import type { Output } from '../terminal/output.js';
import { follow } from './follow.js';
import { previewLines } from './preview-lines.js';
import { startTiny, temporaryFolder, testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

describe('the end of a run', () => {
  it('compares the best and the last checkpoint on test images, and reports the gap', async () => {
    // an absurd rate in the last epoch: the best is an earlier one
    const points = [{ from: 5, factor: 300 }];
    const run = await startTiny({
      epochs: 5,
      optimizer: { use: 'sgd', learningRate: 0.05, schedule: { use: 'piecewise', points } },
    });
    const { summary, best } = await run.train();
    expect(best!.epoch).toBeLessThan(5);
    expect(summary).toMatchObject({ selectedBy: 'fgsm', split: 'test', images: 24, last: { epoch: 5 } });
    const [a, b] = [summary!.best!, summary!.last];
    expect(a.validation!['fgsm']).toBe(best!.value);
    expect(a.accuracy!['fgsm']).toBeGreaterThan(b.accuracy!['fgsm']!);
    expect(summary!.gap).toBeCloseTo(a.accuracy!['fgsm']! - b.accuracy!['fgsm']!, 12);
    expect(run.folder.readSummary()).toEqual(JSON.parse(JSON.stringify(summary)));

    const { model, data, threat } = run.parts;
    restoreModel(run.folder.checkpoints.load('best'), model);
    const again = await validate({ model, set: data.test, attacks: [], threat, batchSize: 24, seed: 1 });
    expect(again['clean']).toBe(a.accuracy!['clean']);
    run.dispose();
  });

  it('of equal validation accuracies chooses the later epoch', async () => {
    const run = await startTiny({ optimizer: { use: 'sgd', learningRate: 1e-20 }, epochs: 3, model: { use: 'mlp' } });
    expect((await run.train()).best!.epoch).toBe(3);
    run.dispose();
  });

  it('can choose by clean accuracy, or leave the comparison out', async () => {
    const run = await startTiny({ evaluation: { attacks: ['fgsm'], selectBest: 'clean', final: 'none' } });
    const { summary, best } = await run.train();
    expect(best!.metric).toBe('clean');
    expect(summary!.split).toBe('none');
    expect(summary!.last.accuracy).toBeUndefined();
    run.dispose();
  });

  it('refuses to choose by what is not measured, before there is a folder', async () => {
    await expect(startTiny({ evaluation: { attacks: ['fgsm'], selectBest: 'pgd-20' } })).rejects.toThrow(
      'evaluation.selectBest is "pgd-20"; validation measures clean, fgsm',
    );
  });
});

describe('a run on an engine that rounds in its own way, and need not repeat itself', () => {
  const coarse = defineEngine({
    name: 'coarse',
    summary: 'A test.',
    probe: async () => ({ available: true }),
    start: async () => ({
      ...{ backend: 'cpu', description: 'coarse', device: 'CPU', dtypes: ['float32'], remarks: [], hostMemory: true },
      ...{ arithmetic: 'products of 10 bits', repeatable: false },
    }),
  });
  afterAll(() => useEngine('wasm'));

  it('says both where it ends, where it lies, and on the card', async () => {
    const registry = testRegistry().register(coarse as unknown as Plugin);
    const folder = join(temporaryFolder(), 'run');
    const config = tinyConfig({ engine: 'coarse', epochs: 1, evaluation: { attacks: [], final: 'none' } });
    const run = await startRun(config, { registry, baseFolder: tmpdir(), folder: () => folder });
    const lines: string[] = [];
    const output = { line: (text: string) => void lines.push(text), result: () => undefined, warn: () => undefined };
    await follow(run, { ...output, terminal: false, json: false } as unknown as Output);
    expect(lines.join('\n')).toMatch(
      /computed with products of 10 bits\nengine coarse need not give the same bits again/,
    );
    const { frozen, readSummary } = openRunFolder(folder);
    expect(frozen.arithmetic).toBe('products of 10 bits');
    expect(readSummary()).toMatchObject({ arithmetic: 'products of 10 bits', repeatable: false });
    const markdown = cardMarkdown({
      ...({
        architecture: { parameters: 1 },
        input: { shape: [] },
        output: { classes: [] },
        data: { notes: [] },
      } as unknown as ModelCard),
      ...{ usage: [], evaluations: [], files: [], threat: { norm: 'linf', epsilon: 0.1 } },
      training: { ...frozen, objective: { use: 'at' }, seed: 1 },
    });
    expect(markdown).toContain('**Not float32 throughout: products of 10 bits.**');
  });
});

describe('a run on an engine that cannot prepare its network', () => {
  const unprepared = defineEngine({
    name: 'unprepared',
    summary: 'A test.',
    probe: async () => ({ available: true }),
    start: async () => ({
      ...{ backend: 'cpu', description: 'a test', device: 'CPU', dtypes: ['float32'], remarks: [], hostMemory: true },
      prepare() {
        throw new Error('no kernel for its layers');
      },
    }),
  });
  afterAll(() => useEngine('wasm'));

  it('trains op by op, and says so once at its beginning and in its summary', async () => {
    const registry = testRegistry().register(unprepared as unknown as Plugin);
    const folder = join(temporaryFolder(), 'run');
    const config = tinyConfig({ engine: 'unprepared', epochs: 1, evaluation: { attacks: [], final: 'none' } });
    const run = await startRun(config, { registry, baseFolder: tmpdir(), folder: () => folder });
    const lines: string[] = [];
    const output = { line: (text: string) => void lines.push(text), result: () => undefined, warn: () => undefined };
    await follow(run, { ...output, terminal: false, json: false } as unknown as Output);
    const told = lines.flatMap((line) => line.split('\n')).filter((line) => line.includes('no kernel for its layers'));
    expect(told).toEqual([expect.stringMatching(/passes of this model run op by op: no kernel for its layers/)]);
    expect(openRunFolder(folder).readSummary()).toMatchObject({ opByOpBecause: 'no kernel for its layers' });
  });
});

describe('a cost preview', () => {
  const preview = (over: Record<string, unknown>, options: PreviewOptions = {}) =>
    previewRun(tinyConfig(over), { registry: testRegistry(), baseFolder: tmpdir(), ...options });
  const inner = { steps: 3, stepSize: 0.05 };

  it('counts the passes that a step makes', async () => {
    // natural: one pass and one back; AT: three attack steps and the loss; TRADES: the natural logits besides
    expect(await preview({ objective: 'natural' })).toMatchObject({ forwardPasses: 1, backwardPasses: 1 });
    expect(await preview({ objective: { use: 'at', inner } })).toMatchObject({ forwardPasses: 4, backwardPasses: 4 });
    expect(await preview({ objective: { use: 'trades', inner } })).toMatchObject({
      forwardPasses: 6,
      backwardPasses: 5,
    });
    const accumulated = await preview({
      objective: { use: 'at', inner },
      data: { use: 'tiny', batchSize: 16, accumulate: 2 },
    });
    expect(accumulated).toMatchObject({ forwardPasses: 8, backwardPasses: 8 });
  });

  it('adds up what it measured, and leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    const found = await preview({ epochs: 4, averaging: { use: 'ema' } });
    expect(tf.memory().numTensors).toBe(before);
    const { stepsPerEpoch, secondsPerStep, secondsPerValidation, secondsAtEnd, secondsInAll } = found;
    expect(stepsPerEpoch).toBe(3);
    expect(secondsInAll).toBeCloseTo(4 * (3 * secondsPerStep + secondsPerValidation) + secondsAtEnd, 9);
    // weights, momentum and average in float32, and a header
    expect(found.checkpointBytes).toBeGreaterThan(3 * 4 * found.parameters);
    expect(found.peakTensorBytes).toBeGreaterThan(0);
    expect(previewLines(found).join('\n')).toMatch(/one step +\d+ forward and \d+ backward passes/);
  });

  it('counts each batch as often as the objective trains on it', async () => {
    const objective = { use: 'free-at', replays: 4 };
    expect(await preview({ objective })).toMatchObject({ stepsPerEpoch: 12, forwardPasses: 1 });
  });

  it('makes a step that takes too long on some of its images', async () => {
    const data = { use: 'tiny', train: 64, batchSize: 32, accumulate: 2 };
    const short = await preview({ data }, { patience: 1e-9 });
    // two of each part, of which the time of all is made
    expect(short).toMatchObject({ measuredImages: 4, batchSize: 32, stepsPerEpoch: 2 });
    expect(short.secondsPerStep).toBeGreaterThan(0);
    expect(await preview({ data }, { patience: 600 })).toMatchObject({ measuredImages: 32 });
    expect(await preview({ data })).toMatchObject({ measuredImages: 32 });
  });
});
