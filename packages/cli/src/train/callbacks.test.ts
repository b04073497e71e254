import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  defineCallback,
  resumeRun,
  startRun,
  type Callback,
  type EpochSeen,
  type ModelReader,
  type Plugin,
  type RunEnded,
  type RunHandle,
  type RunStarted,
  type StepSeen,
} from '@bulwark/core';
import { contractOf } from '@bulwark/core/testing';
import { contents } from './resuming.js';
import { temporaryFolder, testRegistry, tinyConfig } from './testing.js';

const pluginOf = (name: string, create: () => Callback) =>
  defineCallback({ name, summary: 'For tests.', create }) as unknown as Plugin;

const registryWith = (callbacks: Readonly<Record<string, Callback>>) =>
  testRegistry().register(...Object.entries(callbacks).map(([name, callback]) => pluginOf(name, () => callback)));

/** Trains `tinyConfig` with these callbacks. */
async function train(callbacks: Readonly<Record<string, Callback>>, over: Record<string, unknown> = {}) {
  const folder = join(temporaryFolder(), 'run');
  const registry = registryWith(callbacks);
  const config = tinyConfig({ callbacks: Object.keys(callbacks), ...over });
  const run = await startRun(config, { registry, baseFolder: '.', folder: () => folder });
  return { folder, ...(await finished(run)) };
}

async function finished(run: RunHandle) {
  const warnings: string[] = [];
  run.bus.on('warning', ({ message }) => void warnings.push(message));
  try {
    const result = await run.train();
    return { result, warnings };
  } finally {
    run.dispose();
  }
}

/** Writes into everything that it is shown, and swallows what that throws. */
function vandal(): Callback {
  const spoil = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      const entry = (value as Record<string, unknown>)[key];
      spoil(entry);
      if (ArrayBuffer.isView(entry)) (entry as Float32Array).fill(1e9);
      Reflect.set(value, key, 1e9);
      Reflect.deleteProperty(value, key);
    }
    if (Array.isArray(value)) for (const change of ['push', 'pop'] as const) attempt(() => value[change](1));
  };
  const attempt = (work: () => unknown) => {
    try {
      work();
    } catch {
      // frozen
    }
  };
  const weights = async (model: ModelReader) => {
    for (const name of [...model.parameters, ...model.statistics]) (await model.read(name)).fill(Number.NaN);
  };
  return {
    async start(run) {
      await weights(run.model);
      spoil(run);
    },
    async step(seen) {
      await weights(seen.model);
      spoil(seen);
    },
    async epoch(seen) {
      await weights(seen.model);
      spoil(seen);
    },
    end: spoil,
  };
}

describe('callbacks', () => {
  let calm: Awaited<ReturnType<typeof train>>;
  beforeAll(async () => {
    calm = await train({});
  });

  it.each([
    ['writes into all that it sees', vandal()],
    [
      'throws at a step',
      {
        step: ({ position }) => {
          if (position === 2) throw new Error('no');
        },
      },
    ],
    ['rejects at a step', { step: () => Promise.reject(new Error('no')) }],
    [
      'throws after an epoch',
      {
        epoch: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'throws at the end',
      {
        end: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'throws something that is no error',
      {
        step: () => {
          throw 'no';
        },
      },
    ],
  ] satisfies [string, Callback][])('one that %s changes no byte of the run', async (_what, callback) => {
    const { folder, warnings } = await train({ spy: callback });
    expect(contents(folder)).toEqual(contents(calm.folder));
    if (callback.start) return;
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /^callbacks\[0\] \(spy\) failed (in|after|at) .*: no; it is switched off, and training goes on$/,
    );
  });

  it('see every step, every epoch and the summary, in order', async () => {
    const seen: string[] = [];
    const steps: StepSeen[] = [];
    const epochs: EpochSeen[] = [];
    let started: RunStarted | undefined;
    let ended: RunEnded | undefined;
    const { result, folder } = await train({
      spy: {
        start: (run) => void (seen.push('start'), (started = run)),
        step: (step) => void (seen.push('step'), steps.push(step)),
        epoch: (epoch) => void (seen.push('epoch'), epochs.push(epoch)),
        end: (run) => void (seen.push('end'), (ended = run)),
      },
    });
    expect(seen.join(' ')).toBe('start step step step epoch step step step epoch end');
    expect(started).toMatchObject({ name: 'tiny', folder, epochs: 2, stepsPerEpoch: 3, opened: false, engine: 'wasm' });
    expect(started!.config['objective']).toMatchObject({ use: 'at' });
    expect(steps.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(steps[0]).toMatchObject({ epoch: 1, step: 1, learningRate: 0.05, examples: 16 });
    expect(Object.keys(steps[0]!.train)).toContain('adversarial.accuracy');
    expect(epochs.map(({ metrics }) => metrics)).toEqual(result.history);
    expect(epochs[1]!.history).toEqual(result.history);
    expect(epochs[1]!.best).toEqual(result.best);
    expect(ended).toEqual({ reason: 'finished', summary: result.summary });
  });

  it('read copies of the weights, and only while they are called', async () => {
    let late: ModelReader | undefined;
    const sums: number[] = [];
    await train({
      spy: {
        async step({ model }) {
          late = model;
          const name = model.parameters[0]!;
          const values = await model.read(name);
          expect(values).toHaveLength(model.shape(name).reduce((a, b) => a * b, 1));
          sums.push(values.reduce((a, b) => a + b, 0));
          await expect(model.read('no-such')).rejects.toThrow('no parameter or statistics called no-such');
        },
      },
    });
    expect(new Set(sums).size).toBe(6);
    await expect(late!.read(late!.parameters[0]!)).rejects.toThrow('only while the call lasts');
  });

  it('of several run in their order; one that fails leaves the others on', async () => {
    const seen: string[] = [];
    const { warnings } = await train({
      first: { step: () => void seen.push('first') },
      second: {
        step: () => {
          seen.push('second');
          throw new Error('no');
        },
      },
      third: { step: () => void seen.push('third') },
    });
    expect(seen.slice(0, 5)).toEqual(['first', 'second', 'third', 'first', 'third']);
    expect(warnings).toEqual([expect.stringContaining('callbacks[1] (second) failed in epoch 1, step 1: no')]);
  });

  it('end the run at the start, before anything is computed', async () => {
    const steps: number[] = [];
    const spy: Callback = {
      start: () => {
        throw new Error('no');
      },
      step: ({ step }) => void steps.push(step),
    };
    await expect(train({ spy })).rejects.toMatchObject({
      code: 'CALLBACK_FAILED',
      message: 'callbacks[0] (spy) failed at the start: no',
    });
    expect(steps).toEqual([]);
  });

  it('stop the run if guard.callbacks says so; without them it goes on to the same bytes', async () => {
    const folder = join(temporaryFolder(), 'run');
    const ends: RunEnded[] = [];
    const spy: Callback = {
      step: ({ position }) => {
        if (position === 5) throw new Error('no');
      },
      end: (run) => void ends.push(run),
    };
    const other: Callback = { end: (run) => void ends.push(run) };
    const registry = registryWith({ spy, other });
    const config = tinyConfig({ callbacks: ['spy', 'other'], guard: { callbacks: 'stop' } });
    const run = await startRun(config, { registry, baseFolder: '.', folder: () => folder });
    await expect(finished(run)).rejects.toMatchObject({ code: 'CALLBACK_FAILED' });
    expect(ends).toEqual([{ reason: 'failed', error: 'callbacks[0] (spy) failed in epoch 2, step 2: no' }]);
    const positions: number[] = [];
    const again = await resumeRun(folder, { registry, change: (before) => ({ ...before, callbacks: [] }) });
    again.bus.on('step', ({ epoch, step }) => void positions.push(3 * (epoch - 1) + step));
    await finished(again);
    expect(positions).toEqual([6]);
    expect(contents(folder)).toEqual(contents(calm.folder));
  });

  it('are told of a rollback and of a run that fails', async () => {
    const seen: string[] = [];
    const spy: Callback = {
      rollback: ({ epoch }) => void seen.push(`rollback to ${epoch}`),
      end: ({ reason, error }) => void seen.push(`${reason}: ${error?.slice(0, 30)}`),
    };
    const over = {
      optimizer: { use: 'sgd', learningRate: 1e30 },
      guard: { onFailure: 'rollback', retries: 1, factor: 0.5 },
    };
    await expect(train({ spy }, over)).rejects.toMatchObject({ code: 'LOSS_NOT_FINITE' });
    expect(seen[0]).toBe('rollback to 1');
    expect(seen[1]).toMatch(/^failed: objective at/);
  });

  it('are refused by name where they do not exist', async () => {
    await expect(train({}, { callbacks: ['mlflo'] })).rejects.toMatchObject({
      code: 'PLUGIN_UNKNOWN',
      hint: 'did you mean mlflow?',
    });
  });
});

describe('the contract of callbacks', () => {
  const broken = async (create: () => Callback): Promise<string[]> => {
    const found: string[] = [];
    for (const { name, run } of contractOf(pluginOf('spy', create) as unknown as Plugin<'callback'>))
      await run().catch((error: Error) => found.push(`${name}: ${error.message}`));
    return found;
  };

  it('is kept by one that looks on', async () => {
    expect(await broken(() => ({ step: () => undefined }))).toEqual([]);
  });

  it('is broken by one that writes into what it sees, and by one that does not know a rollback', async () => {
    const [first] = await broken(() => ({ step: (seen) => void ((seen as { loss: number }).loss = 0) }));
    expect(first).toMatch(
      /follows a run .*: the callback failed in epoch 1, step 1: Cannot assign to read only property/,
    );
    const [second] = await broken(() => {
      let last = 0;
      return {
        step({ position }) {
          if (position <= last) throw new Error(`step ${position} again`);
          last = position;
        },
      };
    });
    expect(second).toMatch(/follows a run .*: step 1 again/);
  });
});
