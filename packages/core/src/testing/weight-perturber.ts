import * as tf from '../tensor/index.js';
import type { InnerOptimizer, Objective, PerturbContext, WeightPerturber } from '../hooks/index.js';
import { crossEntropy } from '../loss/index.js';
import type { Plugin } from '../plugins/index.js';
import { atPerturbedWeights, disposeGradients, lossGradients } from '../trainer/index.js';
import { disposeStatistics, type Network } from '../classifier/index.js';
import { disposeBatch } from '../batch.js';
import { contracts, numbers, promise, promiseEqual, promiseNoLeak, promiseTensor, type Contract } from './contract.js';
import { valuesOf } from './craft.js';
import { engineOf, fixtureBatch, fixtureNetwork, makePlugin, type ContractOptions } from './fixture.js';
import { session } from './objective.js';
import { definitionContract } from './plugin-contract.js';

const inner: InnerOptimizer = { produces: [], craft: () => ({ points: {} }) };

/** Cross-entropy at the images: the simplest loss whose gradient a perturber can ask for. */
const plain: Objective = {
  inner,
  passes: [{ role: 'natural', updatesStatistics: true }],
  terms: [
    {
      name: 'classification',
      weight: 1,
      needs: ['natural'],
      over: 'labelled',
      values: ({ z, y }) => crossEntropy(z.natural, y),
    },
  ],
};

/** The gradients of the plain loss, as the trainer hands them to a perturber. */
function contextOf(model: Network, epoch: number, factor = 1): PerturbContext {
  return {
    model,
    epoch,
    gradients: ({ offsets, reduction } = {}) =>
      atPerturbedWeights(model, offsets, () => {
        const batch = fixtureBatch();
        const result = lossGradients({
          model,
          objective: plain,
          batch,
          crafted: { points: {} },
          place: { epoch: 0, epochs: 1 },
          reduction,
        });
        result.values.dispose();
        result.statistics.forEach(disposeStatistics);
        result.logits.forEach((logits) => logits.dispose());
        disposeBatch(batch);
        if (factor === 1) return result.gradients;
        const scaled = new Map([...result.gradients].map(([name, gradient]) => [name, tf.mul(gradient, factor)]));
        disposeGradients(result.gradients);
        return scaled;
      }),
  };
}

/** What a weight perturber promises: offsets that fit the parameters, and weights left exactly as they were. */
export function weightPerturberContract(plugin: Plugin<'weight-perturber'>, options: ContractOptions = {}): Contract[] {
  const make = (): WeightPerturber => makePlugin(plugin, options);
  const perturb = (perturber: WeightPerturber, parts: { epoch?: number; factor?: number } = {}) => {
    const model = fixtureNetwork();
    const before = [...valuesOf(model.parameters), ...valuesOf(model.statistics)];
    const offsets = perturber.perturb(contextOf(model, parts.epoch ?? 5, parts.factor));
    for (const [name, offset] of offsets ?? []) {
      const parameter = model.parameters.get(name);
      promise(parameter !== undefined, () => `it gives an offset for ${name}, which is no parameter`);
      promiseTensor(offset, { what: `the offset of ${name}`, shape: parameter!.shape });
    }
    const values = [...(offsets?.values() ?? [])].flatMap(numbers);
    disposeGradients(offsets);
    promiseEqual([...valuesOf(model.parameters), ...valuesOf(model.statistics)], before, 'the model after perturbing');
    model.dispose();
    return values;
  };
  const checks = {
    'gives finite offsets of the parameters, and leaves weights and running statistics as they are'() {
      for (const epoch of [0, 1, 5]) perturb(make(), { epoch });
    },
    'stays finite where the gradient is 0'() {
      perturb(make(), { factor: 0 });
    },
    'gives the same offsets for the same weights'() {
      promiseEqual(perturb(make()), perturb(make()), 'offsets of a second call');
    },
    'leaves no tensor behind'() {
      const perturber = make();
      return promiseNoLeak('perturbing', () => void perturb(perturber));
    },
    'trains: steps stay finite and repeatable, and leak nothing'() {
      const train = () => {
        const run = session(plain, options, { weightPerturber: make() });
        const losses = run.steps(2).flat();
        const before = tf.memory().numTensors;
        run.steps(1);
        promise(tf.memory().numTensors === before, () => 'a step with it leaves tensors alive');
        const weights = valuesOf(run.model.parameters);
        run.end();
        return [...losses, ...weights];
      };
      const first = train();
      promise(first.every(Number.isFinite), () => 'losses or weights are not finite after three steps');
      promiseEqual(train(), first, 'losses and weights of a second training');
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
