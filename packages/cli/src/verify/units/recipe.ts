import type { Classifier, EmaOptions, Schedule } from '@bulwark/core';
import { createEma, createSwa, schedules } from '@bulwark/core/trainer';
import { pasteBox } from '@bulwark/datasets';
import * as tf from '@tensorflow/tfjs-core';
import type { Comparison } from '../comparison.js';
import { numbersOf, toTensor, type Golden } from '../golden.js';
import { networkWith } from '../training/network.js';
import { refuseUnknown, unitTolerance, type UnitRunner } from './unit.js';

/** `unit-cutmix`: mixed images and targets from given draws. */
export const cutmixUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  (json['items'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, [
      ...['lambdaDrawn', 'center', 'permutation', 'x', 'y', 'numClasses', 'xMixed', 'yMixed', 'box', 'lambda'],
    ]);
    const { images, targets } = mixedByBox(item, item);
    const compare = (quantity: string, own: Float32Array, wanted: unknown) =>
      comparison.compare(
        { quantity, part: `items[${i}].${quantity}` },
        own,
        numbersOf(wanted, quantity),
        unitTolerance,
      );
    compare('xMixed', images, item['xMixed']);
    compare('yMixed', targets, item['yMixed']);
  });
};

/** Images and targets mixed by the box that a case draws. */
export function mixedByBox(of: Golden, draw: Golden): { images: Float32Array; targets: Float32Array } {
  const [, ...shape] = (of['x'] as { shape: [number, number, number, number] }).shape;
  const labels = Int32Array.from(numbersOf(of['y'], 'y'));
  const [y, x] = draw['center'] as [number, number];
  const mixed = pasteBox(
    { pixels: Float32Array.from(numbersOf(of['x'], 'x')), labels, shape, classes: Number(of['numClasses']) },
    {
      share: Number(draw['lambdaDrawn']),
      partner: Int32Array.from(numbersOf(draw['permutation'], 'permutation')),
      center: { y, x },
    },
  );
  return { images: mixed.pixels, targets: mixed.targets! };
}

/** A model that is one vector. */
const vectorModel = (values: readonly number[]): Classifier =>
  ({
    parameters: new Map([['w', tf.variable(tf.tensor1d([...values]))]]),
    statistics: new Map(),
  }) as unknown as Classifier;

/** The averages that an EMA gives of a vector, at these global steps (from 1). */
function averagesOf(options: EmaOptions, item: Golden, steps: readonly number[]): number[] {
  const average = createEma(options);
  const model = vectorModel(item['start'] as number[]);
  const weight = model.parameters.get('w')!;
  let last: Float32Array = weight.dataSync<'float32'>();
  const own = (item['model'] as number[][]).flatMap((values, i) => {
    const before = new Map([['model/w', tf.tensor1d(last)]]);
    average.state.restore({ tensors: before, values: { updates: steps[i]! - 1 } });
    tf.dispose([...before.values()]);
    tf.tidy(() => weight.assign(tf.tensor1d(values)));
    average.afterStep(model);
    last = average.state.save().tensors.get('model/w')!.dataSync<'float32'>().slice();
    return [...last];
  });
  average.dispose();
  weight.dispose();
  return own;
}

/** `unit-ema`: moving averages with a start, constant ones, and averages over epochs. */
export const emaUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['dynamic', 'constant', 'swa', 'bnEpsilon']);
  (json['dynamic'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['tau', 'warmupSteps', 'dynamicDecay', 'start', 'globalStep', 'model', 'average']);
    const options = {
      decay: Number(item['tau']),
      start: Number(item['warmupSteps']),
      warmup: item['dynamicDecay'] ? 10 : 1,
    };
    const own = averagesOf(options, item, numbersOf(item['globalStep'], 'globalStep'));
    const part = `dynamic[${i}]`;
    comparison.compare({ quantity: 'dynamic', part }, own, numbersOf(item['average'], part), unitTolerance);
  });
  const constant = json['constant'] as Golden;
  refuseUnknown(comparison, constant, ['decay', 'start', 'model', 'average']);
  const steps = (constant['model'] as unknown[]).map((_, i) => i + 1);
  const own = averagesOf({ decay: Number(constant['decay']), start: 0, warmup: 1 }, constant, steps);
  comparison.compare({ quantity: 'constant' }, own, numbersOf(constant['average'], 'constant'), unitTolerance);
  movingAverages(json['swa'] as Golden, comparison);
};

/** The network of the cases called `convbn`, with the widths of these kernels. */
function convBnOf(parameters: Golden, statistics: Golden) {
  const width = (name: string, axis: number) => (parameters[name] as { shape: number[] }).shape[axis]!;
  const [first, second] = [width('conv1.kernel', 3), width('conv2.kernel', 3)];
  const layers = [
    ...[`conv1 3x3 3->${first} stride1 pad1(sym) nobias`, 'bn1', 'relu'],
    ...[`conv2 3x3 ${first}->${second} stride2 pad1(sym) nobias`, 'bn2', 'relu', 'globalAvgPool'],
    `fc ${second}->${width('fc.kernel', 1)} +bias`,
  ];
  return networkWith({ inputShape: [8, 8, 3], layers }, { parameters, statistics });
}

/** Averages over epochs, and the running statistics that one pass over the batches gives them. */
function movingAverages(swa: Golden, comparison: Comparison): void {
  refuseUnknown(comparison, swa, ['params0', 'modelParams', 'bnBefore', 'movingAverage', 'batches', 'bnUpdated']);
  const { network, parameterNames, statisticNames } = convBnOf(swa['modelParams'] as Golden, swa['bnBefore'] as Golden);
  const average = createSwa({ from: 1, every: 1 });
  const compare = (quantity: string, names: ReadonlyMap<string, string>, group: string, wanted: Golden) => {
    const { tensors } = average.state.save();
    for (const [name, value] of Object.entries(wanted)) {
      const own = tensors.get(`${group}/${names.get(name)}`)?.dataSync();
      comparison.compare({ quantity, part: `${quantity}.${name}` }, own, numbersOf(value, name), unitTolerance);
    }
  };
  (swa['movingAverage'] as Golden[]).forEach(({ params }, i) => {
    const batches = () => (swa['batches'] as unknown[]).map((batch) => toTensor<tf.Tensor4D>(batch, 'batches'));
    void average.afterEpoch(network, { epoch: i + 1, batches, validate: () => Promise.resolve([]) });
    compare('swa.movingAverage', parameterNames, 'model', params as Golden);
  });
  compare('swa.bnUpdated', statisticNames, 'statistics', swa['bnUpdated'] as Golden);
  average.dispose();
  network.dispose();
}

/** The schedule of an item by its name, and where each of its values stands. */
function scheduleOf(item: Golden): Schedule | undefined {
  const name = String(item['name']);
  const epochs = Number(item['epochs']);
  const momentum = { low: 0.8, high: 0.9 };
  if (/cyclic-(\d+)/.test(name) && 'stepSizeUp' in item)
    return schedules.cyclic({ peak: Number(item['stepSizeUp']) / Number(item['totalSteps']), momentum });
  if (name.startsWith('dm-cosinew') || name.startsWith('dm-cyclic') || name.startsWith('arow-cyclic')) {
    const peak = name.startsWith('dm-cosinew') ? 0.025 : name.startsWith('dm') ? 0.25 : 0.2;
    const per = item['per'] === 'epoch' ? 'epoch' : 'step';
    return schedules.oneCycle({ peak, startDivisor: 25, endDivisor: 1e4, momentum: { low: 0.85, high: 0.95 }, per });
  }
  if (name.startsWith('arow-cosine') || name.startsWith('dm-cosine'))
    return schedules.cosine({ floor: 0, per: 'epoch' });
  if (name.startsWith('gradalign-cyclic'))
    return schedules.cyclic({ peak: Math.floor((2 * epochs) / 5) / epochs, ahead: true });
  if (name.startsWith('ikl-cosine')) return schedules.warmCosine({ warmup: Number(item['warmup']) });
  return undefined;
}

/** Rates that stand still for a while: what the schedules `step` and `piecewise` are configured with. */
function pieces(values: readonly number[], base: number): Schedule {
  const points = values.flatMap((value, i) =>
    i === 0 || value !== values[i - 1] ? [{ from: i + 1, factor: value / base }] : [],
  );
  return schedules.piecewise({ points });
}

/** `unit-schedules-2`: learning rate and momentum of every epoch or step. */
export const moreSchedulesUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  for (const item of json['items'] as Golden[]) {
    const quantity = String(item['name']);
    if ('epsilon' in item) {
      const epsilon = numbersOf(item['epsilon'], quantity);
      const own = epsilon.map((_, e) => (Number(item['epsilonMax']) * (e + 1)) / Number(item['epochs']));
      comparison.compare({ quantity }, own, epsilon, unitTolerance);
      continue;
    }
    const values = numbersOf(item['values'], quantity);
    const base = Number(item['base']);
    const flat = values.filter((value, i) => value === values[i - 1]).length > values.length / 2;
    const schedule = scheduleOf(item) ?? (flat ? pieces(values, base) : undefined);
    if (!schedule) {
      comparison.fail(quantity, 'not a known schedule');
      continue;
    }
    const perEpoch =
      flat || item['per'] === 'epoch' || !('stepSizeUp' in item || schedule.momentum || 'batchesPerEpoch' in item);
    const place = (i: number) =>
      perEpoch
        ? { epoch: i, epochs: values.length, step: 0, stepsPerEpoch: 1 }
        : { epoch: 0, epochs: 1, step: i, stepsPerEpoch: values.length };
    comparison.compare(
      { quantity },
      values.map((_, i) => base * schedule.factor(place(i))),
      values,
      unitTolerance,
    );
    const momentum = item['momentum'];
    if (momentum === undefined || !schedule.momentum) continue;
    const own = values.map((_, i) => schedule.momentum!(place(i))!);
    comparison.compare({ quantity: `${quantity} momentum` }, own, numbersOf(momentum, quantity), unitTolerance);
  }
};
