import { beforeAll, describe, expect, it } from '@jest/globals';
import { allImages, type RunHandle, useEngine, type WeightAverage } from '@bulwark/core';
import { createEma, createFairAverage, createSwa, restoreModel, withAverage } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { startTiny } from './testing.js';

beforeAll(() => useEngine('wasm'));

const read = (tensors: ReadonlyMap<string, tf.Tensor>) =>
  new Map([...tensors].map(([name, tensor]) => [name, [...tensor.dataSync()]]));
const weightsOf = ({ parts: { model } }: RunHandle) => read(model.parameters);
const averageOf = (average: WeightAverage) => read(average.state.save().tensors);

const closeTo = (found: readonly number[], wanted: readonly number[]) =>
  wanted.forEach((value, i) => expect(Math.abs(found[i]! - value)).toBeLessThan(1e-5));

describe('averages of weights', () => {
  it('with a decay follow the formula, warm-up included', async () => {
    const run = await startTiny();
    const { model } = run.parts;
    const average = createEma({ decay: 0.6, warmup: 4 });
    const weight = model.parameters.get('fc.bias')!;
    const set = (value: number) => tf.tidy(() => weight.assign(tf.fill(weight.shape, value)));
    const seen: number[] = [];
    for (const value of [1, 2, 3, 4, 5]) {
      set(value);
      average.afterStep(model);
      seen.push(averageOf(average).get('model/fc.bias')![0]!);
    }
    // decays 0, 2/5, 3/6, 4/7, then 0.6 rather than 5/8
    const wanted = [0, 2 / 5, 3 / 6, 4 / 7, 0.6].reduce<number[]>(
      (values, decay, i) => [...values, decay * (values.at(-1) ?? 0) + (1 - decay) * (i + 1)],
      [],
    );
    closeTo(seen, wanted);
    average.dispose();
    run.dispose();
  });

  it('as a mean take the weights at the ends of the chosen epochs', async () => {
    const run = await startTiny({ averaging: { use: 'swa', from: 2, every: 2 }, epochs: 5 });
    const ends = new Map<number, Map<string, number[]>>();
    run.bus.on('epoch:end', ({ metrics }) => ends.set(metrics.epoch, weightsOf(run)));
    await run.train();
    const average = averageOf(run.parts.average!);
    for (const [name, values] of ends.get(2)!)
      closeTo(
        average.get(`model/${name}`)!,
        values.map((value, i) => (value + ends.get(4)!.get(name)![i]!) / 2),
      );
    run.dispose();
  });

  it('that are fair take the weights of the epochs in which every class is protected, and nothing before', async () => {
    const run = await startTiny();
    const { model } = run.parts;
    const average = createFairAverage({ decay: 0.75, threshold: 0.3 });
    const weight = model.parameters.get('fc.bias')!;
    const seen: (number | undefined)[] = [];
    const lowest = [0.2, 0.3, 0.29, 0.9];
    for (const [i, low] of lowest.entries()) {
      tf.tidy(() => weight.assign(tf.fill(weight.shape, i)));
      // the last attack counts; a class without held-out images does not
      const validation = [
        { label: 'clean', byClass: [0, 0, 0] },
        { label: 'pgd', byClass: [0.9, low, undefined] },
      ];
      const end = { epoch: i + 1, batches: () => [], validate: () => Promise.resolve(validation) };
      await average.afterEpoch(model, end);
      await average.afterEpoch(model, end); // after an interrupted validation it comes again
      seen.push(averageOf(average).get('model/fc.bias')?.[0]);
    }
    expect(seen).toEqual([undefined, 1, 1, 0.75 * 1 + 0.25 * 3]);
    average.dispose();
    run.dispose();
  });

  it('that look at held-out images validate the weights of the epoch by class, and need such images', async () => {
    const config = { averaging: { use: 'fawa', threshold: 0 }, epochs: 2 };
    const run = await startTiny(config);
    const { history } = await run.train();
    expect(history.every(({ validation }) => validation !== undefined)).toBe(true);
    expect(averageOf(run.parts.average!).size).toBeGreaterThan(0);
    run.dispose();
    await expect(
      startTiny({ ...config, data: { use: 'fashion-mnist-mini', validation: 0, limit: { train: 32, test: 10 } } }),
    ).rejects.toThrow('averaging: fawa looks at held-out images');
  });

  it('get running statistics of their own, from one pass over the training images', async () => {
    const run = await startTiny();
    const { model, data } = run.parts;
    const average = createSwa({ from: 1, every: 1 });
    const images = tf.tidy(() =>
      tf.div(tf.tensor4d(allImages(data.train), [48, ...data.shape], 'int32'), 255),
    ) as tf.Tensor4D;
    const before = read(model.statistics);
    const batches = () => tf.split(images, 2) as tf.Tensor4D[];
    await average.afterEpoch(model, { epoch: 1, batches, validate: () => Promise.resolve([]) });
    expect(read(model.statistics)).toEqual(before);
    const { statistics } = model.pass([images], { mode: 'batch', wrt: 'nothing' });
    for (const [layer, { mean }] of [...statistics[0]!].slice(0, 1))
      closeTo(averageOf(average).get(`statistics/${layer}.running_mean`)!, [...mean.dataSync()]);
    average.dispose();
    run.dispose();
  });

  it('are what is validated, kept and restored, while training goes on from its own weights', async () => {
    const plain = await startTiny({ epochs: 3 });
    await plain.train();
    const averaged = await startTiny({ epochs: 3, averaging: { use: 'ema', decay: 0.99 } });
    const ends: Map<string, number[]>[] = [];
    averaged.bus.on('epoch:end', () => ends.push(weightsOf(averaged)));
    const { history, summary } = await averaged.train();
    // the same steps as without averaging, but another validation
    const losses = plain.folder.readMetrics().map(({ loss }) => loss);
    expect(history.map(({ loss }) => loss)).toEqual(losses);
    const last = averaged.folder.checkpoints.load('last');
    restoreModel(last, averaged.parts.model);
    for (const [name, values] of weightsOf(averaged))
      expect(values).toEqual([...last.tensors.get(`average/model/${name}`)!.data]);
    expect(weightsOf(averaged)).not.toEqual(ends.at(-1));
    for (const [name, values] of ends.at(-1)!) expect([...last.tensors.get(`model/${name}`)!.data]).toEqual(values);
    expect(summary!.last.accuracy).toBeDefined();
    plain.dispose();
    averaged.dispose();
  });

  it('leave the weights untouched, bit for bit, after a validation that fails', async () => {
    const run = await startTiny();
    const average = createEma({ decay: 0.5, warmup: 1 });
    average.afterStep(run.parts.model);
    tf.tidy(() => run.parts.model.parameters.get('fc.bias')!.assign(tf.tensor1d([1, 2, 3])));
    const before = weightsOf(run);
    const failing = withAverage(run.parts.model, average, () => Promise.reject(new Error('in between')));
    await expect(failing).rejects.toThrow('in between');
    expect(weightsOf(run)).toEqual(before);
    average.dispose();
    run.dispose();
  });

  it('do not leak', async () => {
    const run = await startTiny();
    const average = createEma({ decay: 0.5, warmup: 1 });
    average.afterStep(run.parts.model);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 20; i++) average.afterStep(run.parts.model);
    await withAverage(run.parts.model, average, () => Promise.resolve());
    expect(tf.memory().numTensors).toBe(before);
    average.dispose();
    run.dispose();
  });
});
