import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { sharedRanks, threadCollective } from '@bulwark/core/testing';
import { evaluate, loadModel, loadRun, openRanks, train } from '../index.js';
import { temporaryFolder } from '../train/testing.js';

const root = temporaryFolder();
const folder = join(root, 'run');
const config = {
  name: 'tiny',
  engine: 'wasm',
  epochs: 2,
  data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 12 }, validation: 0, batchSize: 32 },
  model: { use: 'small-cnn', width: 2 },
  threat: { epsilon: 0.1 },
  objective: 'natural',
  evaluation: { attacks: [] },
} as const;
afterAll(() => rmSync(root, { recursive: true }));

describe('a program', () => {
  it('trains, resumes, evaluates, reads the run and predicts, in one call each, and leaves no tensor', async () => {
    const epochs: number[] = [];
    const stop = new AbortController();
    const begun = await train(config, {
      folder,
      signal: stop.signal,
      onEpoch: ({ epoch }) => (epochs.push(epoch), stop.abort()),
    });
    expect(begun).toMatchObject({ folder, reason: 'interrupted' });
    await expect(train(config, { folder })).rejects.toMatchObject({ code: 'RUN_EXISTS' });
    const trained = await train(config, { folder, resume: true, onEpoch: ({ epoch }) => epochs.push(epoch) });
    expect(trained.reason).toBe('finished');
    expect(epochs).toEqual([1, 2]);
    expect(trained.summary).toMatchObject({ name: 'tiny', epochs: 2 });

    const run = await loadRun(folder);
    expect(run.metrics).toEqual(trained.metrics);
    expect(run.config.model).toMatchObject({ use: 'small-cnn', width: 2 });
    expect(run.evaluations).toEqual([]);

    const before = tf.memory().numTensors;
    const result = await evaluate(folder, {
      attacks: ['pgd:steps=2', { use: 'fgsm' }],
      images: 6,
      threat: { epsilon: 0.05 },
    });
    expect(result).toMatchObject({
      tier: 'custom',
      complete: true,
      threat: { norm: 'linf', epsilon: 0.05 },
      data: { count: 6 },
    });
    expect(result.worst.accuracy).toBeLessThanOrEqual(result.clean.accuracy);
    const model = await loadModel(folder);
    expect(await model.predict(new Uint8ClampedArray(784))).toHaveLength(1);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('trains as one of several processes, which is alone unless something has started others', async () => {
    expect(openRanks()).toBeUndefined();
    const collective = threadCollective(sharedRanks(1), { rank: 0 });
    const { summary } = await train({ ...config, epochs: 1 }, { folder: join(root, 'ranks'), collective });
    expect(summary!.ranks).toBe(1);
  });

  it('is told what does not fit', async () => {
    await expect(train({ ...config, epochs: 0 } as never, { folder: join(root, 'no') })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(evaluate(folder, { tier: 'fast', attacks: ['pgd'] })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(evaluate(folder, { attacks: ['pgdd'] })).rejects.toMatchObject({ code: 'PLUGIN_UNKNOWN' });
    await expect(loadRun(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'RUN_MISSING' });
  });
});
