import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Callback, EpochMetrics } from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { runCallbacks } from '../trainer/index.js';
import { BulwarkError } from '../errors.js';
import { contracts, promise, promiseEqual, promiseNoLeak, type Contract } from './contract.js';
import { engineOf, fixtureNetwork, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

const epochs = 2;
const stepsPerEpoch = 3;

const metricsOf = (epoch: number): EpochMetrics => ({
  epoch,
  steps: epoch * stepsPerEpoch,
  learningRate: 0.1,
  loss: 1 / epoch,
  terms: { classification: 1 / epoch },
  train: { 'natural.accuracy': 0.5 },
  ...(epoch === epochs && { validation: { clean: 0.5, 'pgd-20': 0.25 } }),
});

const stepOf = (epoch: number, step: number) => ({
  ...{ epoch, epochs, step, stepsPerEpoch, loss: 1, terms: { classification: 1 }, learningRate: 0.1 },
  ...{ examples: 8, seconds: 0.01, position: (epoch - 1) * stepsPerEpoch + step, train: { 'natural.accuracy': 0.5 } },
});

const summary = {
  ...{ name: 'kit', seed: 1, engine: 'wasm', epochs, selectedBy: 'pgd-20', split: 'test' as const, images: 8 },
  last: { ...metricsOf(epochs), accuracy: { clean: 0.5, 'pgd-20': 0.25 } },
  rollbacks: 1,
};

/** Shows a callback a run that is interrupted and goes on, with a rollback in it. Throws what the callback throws. */
async function story(callback: Callback, folder: string): Promise<void> {
  const model = fixtureNetwork();
  const run = {
    name: 'kit',
    folder,
    config: { name: 'kit', epochs, threat: { epsilon: 0.03 } },
    engine: 'wasm',
    opened: false,
  };
  const warn = () => undefined;
  const told = runCallbacks([{ name: 'the callback', callback }], { model, run, onFailure: 'stop', warn });
  const place = { epochs, stepsPerEpoch };
  const epoch = async (at: number, from = 1) => {
    for (let step = from; step <= stepsPerEpoch; step++) await told.step(stepOf(at, step));
    const history = Array.from({ length: at }, (_, i) => metricsOf(i + 1));
    await told.epoch({ metrics: history.at(-1)!, history, seconds: 1, examples: 24 });
  };
  const before = [...model.parameters.values()].map((parameter) => parameter.dataSync().slice());
  try {
    await told.start({ ...place, history: [] });
    await epoch(1);
    await told.step(stepOf(2, 1));
    await told.end({ reason: 'interrupted' });
    await told.start({ ...place, resumedAt: { epoch: 1, step: 1 }, history: [metricsOf(1)] });
    await told.rollback({ epoch: 1, reason: 'the loss is NaN' });
    for (let at = 1; at <= epochs; at++) await epoch(at);
    await told.end({ reason: 'finished', summary });
    [...model.parameters.values()].forEach((parameter, at) =>
      promiseEqual(parameter.dataSync(), before[at]!, 'weights of the model that it looks at'),
    );
  } finally {
    model.dispose();
  }
}

/** What a callback promises: it goes along with a run that stops, goes on and is rolled back, and leaves nothing behind. */
export function callbackContract(plugin: Plugin<'callback'>, options: ContractOptions = {}): Contract[] {
  const inFolder = async (work: (folder: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), 'bulwark-callback-'));
    try {
      await work(folder);
    } catch (error) {
      promise(!(error instanceof BulwarkError), () => (error as Error).message);
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const checks = {
    'follows a run that is interrupted, goes on, and is rolled back'() {
      return inFolder((folder) => story(makePlugin(plugin, options), folder));
    },
    'hears of a run that fails'() {
      return inFolder(async (folder) => {
        const callback = makePlugin(plugin, options);
        await callback.end?.({ reason: 'failed', error: 'the loss is NaN' });
        await story(makePlugin(plugin, options), folder);
      });
    },
    'leaves no tensor behind'() {
      return promiseNoLeak('the callback', () => inFolder((folder) => story(makePlugin(plugin, options), folder)));
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
