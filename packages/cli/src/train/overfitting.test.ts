import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineAttack, resumeRun, startRun, useEngine, type RunHandle } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { temporaryFolder, testRegistry, tinyConfig } from './testing.js';

beforeAll(() => useEngine('wasm'));

/** Attacks of a training that forgets how to resist more than one step: from the n-th validation on (to the m-th), several steps break all. */
function attacks(from: number, to = Infinity) {
  let validation = 0;
  return [
    defineAttack({
      name: 'one-step',
      summary: 'Breaks nothing.',
      create: () => ({ label: 'fgsm-weak', run: (images) => images.clone() }),
    }),
    defineAttack({
      name: 'many-steps',
      summary: 'Shows each image as the next, which is of another class.',
      create: () => ({
        label: 'many',
        run(images) {
          validation++;
          if (validation < from || validation > to) return images.clone();
          return tf.tidy(() => tf.concat([tf.slice(images, 1), tf.slice(images, 0, 1)])) as tf.Tensor4D;
        },
      }),
    }),
  ];
}

async function run(over: Record<string, unknown>, [from, to]: readonly [number, number?]): Promise<RunHandle> {
  const folder = join(temporaryFolder(), 'run');
  const config = tinyConfig({
    data: { use: 'tiny', train: 192, batchSize: 16 },
    model: { use: 'small-cnn', width: 4 },
    threat: { epsilon: 1 },
    objective: { use: 'fast-at', init: 'zero', stepLength: 0 },
    evaluation: { attacks: ['one-step', 'many-steps'], final: 'none' },
    epochs: 4,
    ...over,
  });
  const registry = testRegistry().register(...attacks(from, to));
  return startRun(config, { registry, baseFolder: '/', folder: () => folder });
}

const lost = { attack: 'many', best: 1, robust: 0, singleStep: 1 };

describe('the guard against catastrophic overfitting', () => {
  it('warns once of each loss of robustness and tells of it in the summary', async () => {
    const failing = await run({}, [2, 3]);
    const warnings: string[] = [];
    failing.bus.on('warning', ({ message }) => warnings.push(message));
    const { history, summary } = await failing.train();
    failing.dispose();
    expect(history.map(({ validation }) => validation!['many'])).toEqual([1, 0, 0, 1]);
    expect(summary!.overfitting).toEqual([{ ...lost, epoch: 2 }]);
    expect(failing.folder.readSummary()).toMatchObject({ overfitting: [{ ...lost, epoch: 2 }], rollbacks: 0 });
    expect(warnings).toEqual([
      'catastrophic overfitting in epoch 2: on validation images, accuracy under many fell from 100.0 % to 0.0 %, while under a single step it is 100.0 %; training goes on, as guard.overfitting.action is warn',
    ]);
  });

  it('goes back to before the epoch with a lower learning rate, if asked, as often as it happens', async () => {
    const guard = { factor: 0.5, overfitting: { action: 'rollback' } };
    const failing = await run({ guard }, [2, 3]);
    const reasons: string[] = [];
    failing.bus.on('rollback', ({ epoch, reason }) => reasons.push(`${epoch} ${reason.slice(0, 36)}`));
    const { history, summary } = await failing.train();
    failing.dispose();
    expect(reasons).toEqual(Array(2).fill('2 catastrophic overfitting in epoch 2: '.slice(0, 38)));
    expect(history.map(({ learningRate }) => learningRate)).toEqual([0.05, 0.0125, 0.0125, 0.0125]);
    expect(history.map(({ validation }) => validation!['many'])).toEqual([1, 1, 1, 1]);
    expect(summary).toMatchObject({
      rollbacks: 2,
      overfitting: Array(2).fill({ ...lost, epoch: 2, rolledBack: true }),
    });
  });

  it('stops, if asked, before the epoch is saved, and goes on from before it with another guard', async () => {
    const failing = await run({ guard: { overfitting: { action: 'stop' } } }, [2]);
    await expect(failing.train()).rejects.toMatchObject({
      code: 'ROBUSTNESS_LOST',
      message: expect.stringContaining('fell from 100.0 % to 0.0 %') as unknown,
    });
    failing.dispose();
    expect(failing.folder.readMetrics()).toHaveLength(1);
    const resumed = await resumeRun(failing.folder.path, {
      registry: testRegistry().register(...attacks(Infinity)),
      change: (config) => ({ ...config, guard: { ...config.guard, overfitting: { action: 'rollback' } } }),
    });
    const { summary } = await resumed.train();
    resumed.dispose();
    expect(summary!.overfitting).toBeUndefined();
  });

  it.each(['stop', 'rollback'])('refuses to %s by a validation that could never show it', async (action) => {
    const guard = { overfitting: { action } };
    await expect(run({ guard, evaluation: { attacks: ['one-step'] } }, [1])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `guard.overfitting.action is ${action}, but validation measures no attack of several steps (fgsm-weak)`,
    });
  });

  it('measures a single step where validation does not, and keeps quiet where that breaks all, too', async () => {
    // in the whole pixel range, one step is as good as many
    const failing = await run({ evaluation: { attacks: ['many-steps'], final: 'none' }, epochs: 2 }, [2]);
    const labels: string[] = [];
    failing.bus.on('validation:progress', ({ label }) => labels.push(label));
    const { summary } = await failing.train();
    failing.dispose();
    expect(labels).toEqual(['many', 'many', 'fgsm']);
    expect(summary!.overfitting).toBeUndefined();
  });
});
