import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineRegularizer, resumeRun, startRun, useEngine, type RunHandle } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { startTiny, temporaryFolder, testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

/** A penalty that can be made to fail at the n-th step in which it is computed. */
function failingAt(steps: readonly number[], value: number) {
  let step = 0;
  return defineRegularizer({
    name: 'fragile',
    summary: 'Fails on purpose.',
    create:
      () =>
      ({ z, epochs }) => {
        const composed = epochs > 10; // looked at once before the run, too
        const factor = !composed && steps.includes(step++) ? value : 0;
        return tf.mul(tf.sum(z.natural, 1), factor) as tf.Tensor1D;
      },
  });
}

const fragile = { use: 'compose', inner: 'none', regularizer: 'fragile', beta: 1 };

async function run(steps: readonly number[], over: Record<string, unknown> = {}, value = NaN): Promise<RunHandle> {
  const folder = join(temporaryFolder(), 'run');
  const registry = testRegistry().register(failingAt(steps, value));
  return startRun(tinyConfig({ objective: fragile, ...over }), { registry, baseFolder: '/', folder: () => folder });
}

const rollback = { onFailure: 'rollback', factor: 0.5, retries: 2 };

describe('the guard', () => {
  it('stops at a loss that is not a number and names the term that went first', async () => {
    const failing = await run([4]);
    await expect(failing.train()).rejects.toMatchObject({
      code: 'LOSS_NOT_FINITE',
      message: expect.stringMatching(
        /the regularizer term is NaN \(.*classification \d.*\) in epoch 2, step 2$/,
      ) as unknown,
    });
    failing.dispose();
  });

  it('says so when every term was finite and the update broke the weights', async () => {
    const broken = await startTiny({ optimizer: { use: 'sgd', learningRate: 1e39 } });
    await expect(broken.train()).rejects.toThrow(/the update made .* although every term was finite/);
    broken.dispose();
  });

  it('leaves a run behind that can be resumed', async () => {
    const failing = await run([4]);
    await expect(failing.train()).rejects.toThrow('the regularizer term is NaN');
    failing.dispose();
    const registry = testRegistry().register(failingAt([], NaN));
    const resumed = await resumeRun(failing.folder.path, { registry });
    expect((await resumed.train()).reason).toBe('finished');
    resumed.dispose();
    const clean = await run([]);
    await clean.train();
    clean.dispose();
    expect(resumed.folder.readMetrics()).toEqual(clean.folder.readMetrics());
  });

  it('goes back to the start of the epoch with a lower learning rate, if asked', async () => {
    const failing = await run([4], { guard: rollback, epochs: 3 });
    const reports: object[] = [];
    failing.bus.on('rollback', (event) => reports.push(event));
    const result = await failing.train();
    failing.dispose();
    expect(reports).toMatchObject([{ epoch: 2, learningRateScale: 0.5 }]);
    expect(result.history.map(({ learningRate }) => learningRate)).toEqual([0.05, 0.025, 0.025]);
    expect(result.summary!.rollbacks).toBe(1);
    expect(readFileSync(join(failing.folder.path, 'metrics.jsonl'), 'utf8').trim().split('\n')).toHaveLength(3);
  });

  it('keeps the lower rate in a resumed run', async () => {
    const failing = await run([4], { guard: rollback, epochs: 3 });
    const controller = new AbortController();
    failing.bus.on('rollback', () => controller.abort());
    expect((await failing.train(controller.signal)).reason).toBe('interrupted');
    failing.dispose();
    const resumed = await resumeRun(failing.folder.path, { registry: testRegistry().register(failingAt([], NaN)) });
    const { history } = await resumed.train();
    resumed.dispose();
    expect(history.map(({ learningRate }) => learningRate)).toEqual([0.05, 0.025, 0.025]);
  });

  it('gives up after as many rollbacks as it may make', async () => {
    const failing = await run([1, 3, 5, 7, 9], { guard: rollback });
    await expect(failing.train()).rejects.toThrow('given up after 2 rollbacks');
    failing.dispose();
  });

  it('stops a run whose accuracy never rises above chance', async () => {
    const still = await startTiny({
      optimizer: { use: 'sgd', learningRate: 1e-30 },
      model: { use: 'mlp', depth: 0, weights: undefined },
      guard: { collapse: { epochs: 2, margin: 0.9 } },
      epochs: 4,
    });
    await expect(still.train()).rejects.toMatchObject({
      code: 'TRAINING_COLLAPSED',
      message: expect.stringMatching(/never rose above chance in 2 epochs: .* gives 33\.3%$/) as unknown,
    });
    still.dispose();
  });

  it('goes back to the best checkpoint after a collapse', async () => {
    // from epoch 4 on the learning rate is absurd; at a thousandth of it training recovers
    const points = [{ from: 4, factor: 1e4 }];
    const falling = await startTiny({
      objective: 'natural',
      optimizer: { use: 'sgd', learningRate: 0.05, schedule: { use: 'piecewise', points } },
      guard: { onFailure: 'rollback', factor: 1e-4, collapse: { epochs: 2, margin: 0.15 } },
      evaluation: { attacks: ['fgsm'], selectBest: 'clean' },
      epochs: 7,
    });
    const reports: { epoch: number; reason: string }[] = [];
    falling.bus.on('rollback', (event) => reports.push(event));
    const result = await falling.train();
    falling.dispose();
    expect(reports.length).toBeGreaterThan(0);
    expect(result.history).toHaveLength(7);
    expect(result.history.at(-1)!.validation!['clean']).toBeGreaterThan(0.6);
  });
});
