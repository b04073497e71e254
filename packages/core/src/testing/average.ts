import * as tf from '../tensor/index.js';
import type { Network } from '../classifier/index.js';
import type { EpochEnd, WeightAverage } from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { createRandom } from '../random.js';
import { contracts, numbers, promise, promiseEqual, promiseNoLeak, type Contract } from './contract.js';
import { valuesOf } from './craft.js';
import { classes, engineOf, fixtureBatch, fixtureNetwork, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

const epochs = 4;
const stepsPerEpoch = 3;

/** Moves all weights a little, another way each time, as training does. */
function move(model: Network, at: number): void {
  const random = createRandom(23, `weights/${at}`);
  for (const variable of model.parameters.values())
    tf.tidy(() => variable.assign(tf.add(variable, tf.mul(0.1, random.normal(variable.shape)))));
}

const endOf = (epoch: number): EpochEnd => ({
  epoch,
  batches: () =>
    [fixtureBatch([0, 1, 2]), fixtureBatch([3, 4])].map(({ images, labels }) => (labels.dispose(), images)),
  validate: () => Promise.resolve([{ label: 'pgd', byClass: Array.from({ length: classes }, () => 1) }]),
});

const valuesOfAverage = (average: WeightAverage) =>
  new Map([...average.state.save().tensors].map(([name, tensor]) => [name, numbers(tensor)]));

/** What a weight average promises: shapes and names of the model, no part in training, state that checkpoints can hold, nothing left behind. */
export function averageContract(plugin: Plugin<'average'>, options: ContractOptions = {}): Contract[] {
  /** A run; with `stop`, another average goes on from there with its state. */
  const run = async (stop = 0, see: (average: WeightAverage, model: Network) => void = () => undefined) => {
    const model = fixtureNetwork();
    const make = () => makePlugin(plugin, options)({ model, steps: epochs * stepsPerEpoch, epochs });
    let average = make();
    for (let epoch = 1; epoch <= epochs; epoch++) {
      for (let step = 0; step < stepsPerEpoch; step++) {
        move(model, epoch * stepsPerEpoch + step);
        average.afterStep(model);
      }
      await average.afterEpoch(model, endOf(epoch));
      if (epoch !== stop) continue;
      const { tensors, values } = average.state.save();
      const saved = new Map([...tensors].map(([name, tensor]) => [name, tensor.clone()]));
      average.dispose();
      average = make();
      average.state.restore({ tensors: saved, values: structuredClone(values) });
      tf.dispose([...saved.values()]);
    }
    const found = valuesOfAverage(average);
    see(average, model);
    average.dispose();
    model.dispose();
    return found;
  };
  const checks = {
    async 'holds finite numbers under the names of the model, or nothing yet'() {
      await run(0, (average, model) => {
        const known = new Map<string, readonly number[]>([
          ...[...model.parameters].map(([name, { shape }]) => [`model/${name}`, shape] as const),
          ...[...model.statistics].map(([name, { shape }]) => [`statistics/${name}`, shape] as const),
        ]);
        for (const [name, tensor] of average.state.save().tensors) {
          promise(known.has(name), () => `it holds ${name}; names are model/<parameter> and statistics/<statistic>`);
          promiseEqual(tensor.shape, known.get(name)!, `the shape of ${name}`);
          promise(numbers(tensor).every(Number.isFinite), () => `${name} is not finite`);
        }
      });
    },
    async 'leaves the weights and running statistics of the model alone'() {
      const model = fixtureNetwork();
      const average = makePlugin(plugin, options)({ model, steps: stepsPerEpoch, epochs: 1 });
      const before = [valuesOf(model.parameters), valuesOf(model.statistics)];
      for (let step = 0; step < stepsPerEpoch; step++) average.afterStep(model);
      await average.afterEpoch(model, endOf(1));
      promiseEqual(valuesOf(model.parameters), before[0]!, 'the weights');
      promiseEqual(valuesOf(model.statistics), before[1]!, 'the running statistics');
      average.dispose();
      model.dispose();
    },
    async 'goes on from its state as if it had not stopped'() {
      const [whole, resumed] = [await run(), await run(2)];
      promise([...resumed.keys()].join() === [...whole.keys()].join(), () => 'it holds other tensors after resuming');
      for (const [name, values] of whole) promiseEqual(resumed.get(name)!, values, `${name} after resuming`);
    },
    async 'takes an epoch that was interrupted in its validation twice, and counts it once'() {
      const once = await run();
      const model = fixtureNetwork();
      const average = makePlugin(plugin, options)({ model, steps: epochs * stepsPerEpoch, epochs });
      for (let epoch = 1; epoch <= epochs; epoch++) {
        for (let step = 0; step < stepsPerEpoch; step++) {
          move(model, epoch * stepsPerEpoch + step);
          average.afterStep(model);
        }
        await average.afterEpoch(model, endOf(epoch));
        await average.afterEpoch(model, endOf(epoch));
      }
      for (const [name, values] of valuesOfAverage(average))
        promiseEqual(values, once.get(name)!, `${name} of epochs that came twice`);
      average.dispose();
      model.dispose();
    },
    'leaves no tensor behind'() {
      return promiseNoLeak('a run of the average', async () => void (await run(1)));
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
