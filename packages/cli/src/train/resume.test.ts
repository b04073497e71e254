import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { resumeRun, useEngine } from '@bulwark/core';
import { contents, finish, interrupted, resume, uninterrupted } from './resuming.js';
import { startTiny, temporaryFolder, testRegistry } from './testing.js';

beforeAll(() => useEngine('wasm'));

const inner = { steps: 1, stepSize: 0.1 };
const crop = { use: 'random-crop', padding: 1 };
const cases: [string, Record<string, unknown>][] = [
  ['AT', {}],
  [
    'TRADES with AWP, augmentation, momentum and a schedule per step',
    {
      objective: { use: 'trades', inner },
      weightPerturber: 'awp',
      data: { use: 'tiny', batchSize: 16, augment: [crop, 'horizontal-flip', 'mixup'] },
      optimizer: { use: 'sgd', learningRate: 0.05, nesterov: true, schedule: { use: 'cyclic' } },
    },
  ],
  ['ST with an exponential average', { objective: { use: 'st', inner }, averaging: { use: 'ema', decay: 0.9 } }],
  ['a mean of weights', { averaging: { use: 'swa', from: 2 }, epochs: 4 }],
  ['accumulated gradients', { data: { use: 'tiny', batchSize: 16, accumulate: 3 } }],
  ['a bridged method', { objective: { use: 'bat', inner } }],
];

describe('a resumed run', () => {
  it.each(cases)('equals an uninterrupted one bit for bit: %s', async (_name, over) => {
    const whole = await uninterrupted(over);
    // 3 steps per epoch: interruptions in mid-epoch and at its last step
    const pieces = await interrupted(over, 2);
    expect(pieces.count).toBeGreaterThan(1);
    expect(contents(pieces.folder)).toEqual(contents(whole));
  });

  it('writes the same metrics for the same seed, and others for another', async () => {
    const metrics = async (seed: number) => readFileSync(join(await uninterrupted({ seed }), 'metrics.jsonl'), 'utf8');
    const first = await metrics(5);
    expect(await metrics(5)).toBe(first);
    expect(await metrics(6)).not.toBe(first);
  });

  it('makes a validation again that was interrupted', async () => {
    const whole = await uninterrupted({ evaluation: { attacks: ['fgsm'], batchSize: 8 } });
    const run = await startTiny({ evaluation: { attacks: ['fgsm'], batchSize: 8 } });
    const controller = new AbortController();
    run.bus.on('validation:progress', () => controller.abort());
    expect((await finish(run, controller.signal)).reason).toBe('interrupted');
    expect(run.folder.readMetrics()).toEqual([]);
    expect((await finish(await resume(run.folder.path))).reason).toBe('finished');
    expect(contents(run.folder.path)).toEqual(contents(whole));
  });

  it('makes the comparison at the end again that was interrupted', async () => {
    const whole = await uninterrupted({});
    const run = await startTiny();
    const controller = new AbortController();
    run.bus.on('run:end', () => controller.abort());
    expect((await finish(run, controller.signal)).reason).toBe('interrupted');
    expect(run.folder.readSummary()).toBeUndefined();
    await finish(await resume(run.folder.path));
    expect(contents(run.folder.path)).toEqual(contents(whole));
  });

  it('may change how it is guarded, and nothing else', async () => {
    const folder = join(temporaryFolder(), 'run');
    await finish(await startTiny({}, folder), AbortSignal.abort());
    const changing = (change: object) =>
      resumeRun(folder, { registry: testRegistry(), change: (config) => ({ ...config, ...change }) });
    await expect(changing({ epochs: 9 })).rejects.toThrow('epochs cannot change when a run is resumed');
    const run = await changing({ guard: { onFailure: 'rollback' } });
    expect(run.config.guard.onFailure).toBe('rollback');
    await finish(run);
    expect((await resume(folder)).config.guard.onFailure).toBe('rollback');
  });
});
