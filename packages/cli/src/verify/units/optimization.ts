import { attackStep, norms, type Schedule } from '@bulwark/core';
import { createSgd, disposeGradients, schedules } from '@bulwark/core/trainer';
import { geometryWeights, relativeOffsets, weightFunctions } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { numbersOf, toTensor, type Golden } from '../golden.js';
import { refuseUnknown, unitTolerance, type UnitRunner } from './unit.js';

/** `unit-sgd`: PyTorch's SGD, with momentum, Nesterov and coupled weight decay, while the learning rate changes. */
export const sgdUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  (json['items'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['momentum', 'weightDecay', 'nesterov', 'lr', 'p0', 'grads', 'after']);
    const sgd = createSgd({
      learningRate: 1,
      momentum: Number(item['momentum']),
      weightDecay: Number(item['weightDecay']),
      nesterov: Boolean(item['nesterov']),
    });
    const start = tf.tensor1d(numbersOf(item['p0'], 'p0'));
    const parameters = new Map([['p', tf.variable(start)]]);
    numbersOf(item['lr'], 'lr').forEach((rate, step) => {
      const raw = new Map([['p', tf.tensor1d(numbersOf((item['grads'] as unknown[])[step], 'grads'))]]);
      const decayed = sgd.decayed(raw, parameters);
      sgd.apply(parameters, decayed, rate);
      disposeGradients(raw);
      disposeGradients(decayed);
      const part = `items[${i}].after[${step}]`;
      const expected = numbersOf((item['after'] as unknown[])[step], part);
      comparison.compare({ quantity: 'after', part }, parameters.get('p')!.dataSync(), expected, unitTolerance);
    });
    sgd.dispose();
    tf.dispose([start, parameters.get('p')!]);
  });
};

/** The schedule that a golden item describes: runs of constant rates are milestones, anything else is the cosine. */
function scheduleOf(item: Golden, base: number): { schedule: Schedule; rates: number[] } {
  if ('values' in item)
    return { schedule: schedules.cosine({ floor: 0, per: 'epoch' }), rates: numbersOf(item['values'], 'values') };
  const runs = item['runs'] as [rate: number, count: number][];
  const starts = runs.map((_, i) => 1 + runs.slice(0, i).reduce((sum, [, count]) => sum + count, 0));
  const factor = (runs[1]?.[0] ?? base) / base;
  const geometric = runs.every(([rate], i) => Math.abs(rate - base * factor ** i) < 1e-9 * base);
  const schedule = geometric
    ? schedules.step({ milestones: starts.slice(1), factor })
    : schedules.piecewise({ points: runs.map(([rate], i) => ({ from: starts[i]!, factor: rate / base })) });
  return { schedule, rates: runs.flatMap(([rate, count]) => Array.from({ length: count }, () => rate)) };
}

/** `unit-schedules`: learning rate of every epoch. */
export const schedulesUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  for (const item of json['items'] as Golden[]) {
    refuseUnknown(comparison, item, ['base', 'epochs', 'runs', 'values']);
    const [base, epochs] = [Number(item['base']), Number(item['epochs'])];
    const { schedule, rates } = scheduleOf(item, base);
    const own = Array.from(
      { length: epochs },
      (_, epoch) => base * schedule.factor({ epoch, epochs, step: 0, stepsPerEpoch: 1 }),
    );
    comparison.compare({ quantity: String(item['name']) }, own, rates, unitTolerance);
  }
};

/** `unit-awp`: directions of AWP and of one RWP step, from weights and loss gradients. */
export const weightPerturbationUnit: UnitRunner = (json, comparison) => {
  const outputs = ['awpDiff', 'awpDiffZeroGradFc', 'rwpDiffScaledOneStep'];
  refuseUnknown(comparison, json, ['eps', 'proxyLr', 'weights', 'lossGrads', ...outputs]);
  const mapOf = (name: string) =>
    new Map(Object.entries(json[name] as Golden).map(([key, value]) => [key, toTensor(value, key)]));
  const weights = new Map([...mapOf('weights')].map(([name, value]) => [name, tf.variable(value)]));
  const gradients = mapOf('lossGrads');
  const withoutFc = new Map(
    [...gradients].map(([name, value]) => [name, name.startsWith('fc') ? tf.zerosLike(value) : value]),
  );
  for (const output of outputs) {
    if (!(output in json)) continue;
    const offsets = relativeOffsets(weights, output === 'awpDiffZeroGradFc' ? withoutFc : gradients, {
      gamma: 1,
      perLayer: output.startsWith('awp'),
    });
    for (const [name, value] of Object.entries(json[output] as Golden)) {
      const part = `${output}.${name}`;
      const own = offsets.get(name)?.dataSync();
      comparison.compare({ quantity: output, part }, own, numbersOf(value, part), unitTolerance);
    }
    disposeGradients(offsets);
  }
  tf.dispose([...weights.values(), ...gradients.values(), ...withoutFc.values()]);
};

/** `unit-gair`: example weights from distances to the boundary. */
export const geometryUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  (json['items'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['numSteps', 'func', 'lambda', 'kappa', 'weights']);
    const weights = weightFunctions.find((name) => name === String(item['func']).toLowerCase());
    if (!weights) return comparison.fail(String(item['func']), 'not a known weight function');
    const own = tf.tidy(() =>
      geometryWeights(tf.tensor1d(numbersOf(item['kappa'], 'kappa')), {
        steps: Number(item['numSteps']),
        lambda: Number(item['lambda']),
        weights,
      }),
    );
    const part = `items[${i}].weights`;
    comparison.compare({ quantity: weights, part }, own.dataSync(), numbersOf(item['weights'], part), unitTolerance);
    own.dispose();
  });
};

/** `unit-projection`: one attack step up and down, with gradients as small as 3e-30. */
export const projectionUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['items']);
  (json['items'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['eps', 'alpha', 'x0', 'x', 'grad', 'ascent', 'descent']);
    tf.tidy(() => {
      const of = (name: string) => {
        const numbers = numbersOf(item[name], name);
        return tf.tensor4d(numbers, [1, 1, numbers.length, 1]);
      };
      const threat = { norm: norms.linf, epsilon: Number(item['eps']) };
      for (const [quantity, direction] of [
        ['ascent', 1],
        ['descent', -1],
      ] as const) {
        const stepSize = direction * Number(item['alpha']);
        const moved = attackStep(of('x'), of('grad'), { origin: of('x0'), threat, stepSize });
        const part = `items[${i}].${quantity}`;
        comparison.compare({ quantity, part }, moved.dataSync(), numbersOf(item[quantity], part), unitTolerance);
      }
    });
  });
};
