import { existsSync, readFileSync } from 'node:fs';
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

  describe('with a second model', () => {
    const model = { use: 'mlp', width: 4 };
    let weights: string;
    beforeAll(async () => void (weights = await uninterrupted({ model, objective: 'natural', epochs: 1 })));
    const file = (name: string) => join(weights, 'checkpoints', `${name}.safetensors`);

    it.each([
      ['a teacher from the folder of a run', () => ({ use: 'ard', teacher: { ...model, weights }, inner })],
      ['a teacher from a checkpoint', () => ({ use: 'rslad', teacher: { ...model, weights: file('last') }, inner })],
      ['a helper that was drawn', () => ({ use: 'hat', helper: model, inner })],
      ['a companion', () => ({ use: 'lbgat', companion: model, inner })],
    ])('equals an uninterrupted one bit for bit: %s', async (_name, objective) => {
      const over = { model, objective: objective() };
      const whole = await uninterrupted(over);
      expect(contents((await interrupted(over, 4)).folder)).toEqual(contents(whole));
    });

    it('draws other weights for it than for its own', async () => {
      const run = await startTiny({ model, objective: { use: 'lbgat', companion: model, inner } });
      const companion = run.parts.objective.companions!.get('companion')!;
      const [own, theirs] = [run.parts.model, companion].map((one) => one.parameters.get('fc1.weight')!.dataSync());
      expect(own).toHaveLength(theirs!.length);
      expect(own).not.toEqual(theirs);
      run.dispose();
    });
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
    await expect(changing({ seed: 9 })).rejects.toThrow('seed cannot change when a run is resumed');
    const run = await changing({ guard: { onFailure: 'rollback' } });
    expect(run.config.guard.onFailure).toBe('rollback');
    await finish(run);
    expect((await resume(folder)).config.guard.onFailure).toBe('rollback');
  });
});

describe('an extended run', () => {
  const metricsOf = (folder: string) => readFileSync(join(folder, 'metrics.jsonl'), 'utf8');
  const extend = (folder: string, epochs: number, warn?: (text: string) => void) =>
    resumeRun(folder, { registry: testRegistry(), change: (before) => ({ ...before, epochs }), ...(warn && { warn }) });

  it('is what it would have been, had it been as long from the start, and says what it was meant to be', async () => {
    const folder = await uninterrupted({ epochs: 2 });
    const warnings: string[] = [];
    const stopped = await extend(folder, 3, (text) => warnings.push(text));
    const controller = new AbortController();
    stopped.bus.on('step', () => controller.abort());
    await finish(stopped, controller.signal);
    expect(existsSync(join(folder, 'summary.json'))).toBe(false); // it is on its way again
    await finish(await extend(folder, 4, (text) => warnings.push(text)));
    const whole = await uninterrupted({ epochs: 4 });
    expect(metricsOf(folder)).toBe(metricsOf(whole));
    const summaryOf = (run: string) => JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')) as object;
    expect(summaryOf(folder)).toEqual({ ...summaryOf(whole), extended: [2, 3] });
    expect(warnings).toEqual([]);
    // and goes on as any other
    const again = await resume(folder);
    expect(again.config.epochs).toBe(4);
    await finish(again);
  });

  it('warns where the schedule would have been another one', async () => {
    const folder = await uninterrupted({ optimizer: { use: 'sgd', learningRate: 0.1, schedule: 'cosine' } });
    const warnings: string[] = [];
    await finish(await extend(folder, 3, (text) => warnings.push(text)));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^the schedule cosine depends on the number of epochs: epoch 2 was trained at 0.05, the next begins at 0.025;/,
      ),
    ]);
  });

  it('does not become shorter', async () => {
    const folder = await uninterrupted({});
    await expect(extend(folder, 1)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'epochs is 1; the run has 2, and can only be extended',
    });
  });
});
