import {
  createNetwork,
  createRandom,
  createRegistry,
  defineModel,
  networkGraph,
  norms,
  type Batch,
  type Classifier,
  type CraftContext,
  type Network,
  type Objective,
  type Plugin,
  type PluginKind,
  type PluginProducts,
  type PluginServices,
  type PluginSpec,
  type StepOutcome,
  type WeightPerturber,
} from '@bulwark/core';
import { createSgd, disposeOutcome, trainStep } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { objectivePlugins } from '../index.js';

const small = defineModel({
  name: 'small',
  summary: 'The small network, as a helper, teacher or companion.',
  create: () => smallNetwork(),
});
const registry = createRegistry([...objectivePlugins, small as unknown as Plugin]);

/** Makes a plugin of this package with its defaults. */
export function make<K extends PluginKind>(kind: K, { use, ...options }: PluginSpec): PluginProducts[K] {
  const plugin = registry.find(kind, use);
  const data = { inputShape: [4, 4, 1], classNames: ['a', 'b', 'c'] };
  const services = { make, ...data } as unknown as PluginServices;
  return plugin.create(plugin.options.parse(options), services) as PluginProducts[K];
}

/** A small network with BatchNorm over 4x4 grey images, the same weights every time. */
export function smallNetwork(classes = 3): Network {
  const graph = networkGraph([4, 4, 1], (g) => {
    const x = g.relu(g.batchNorm('bn', g.conv('conv', g.input, { filters: 4, kernel: 3 })));
    return g.linear('fc', g.flatten(x), { units: classes });
  });
  return createNetwork(graph, { name: 'small', random: createRandom(3, 'initialisation') });
}

/** Images in [0, 1] with the given labels. */
export function smallBatch(labels: readonly number[]): Batch {
  return {
    images: createRandom(5, 'images').uniform<tf.Rank.R4>([labels.length, 4, 4, 1]),
    labels: tf.tensor1d([...labels], 'int32'),
  };
}

export function craftContext(model: Classifier, more: Partial<CraftContext> = {}): CraftContext {
  const threat = { norm: norms.linf, epsilon: 8 / 255 };
  return { model, threat, random: createRandom(7, 'attack'), epoch: 0, epochs: 1, ...more };
}

/** One training step with plain SGD; `read` sees the outcome before it is freed. */
export function oneStep<T>(
  parts: {
    model: Classifier;
    batch: Batch;
    objective: Objective;
    weightPerturber?: WeightPerturber;
    context?: Partial<CraftContext>;
    accumulate?: number;
  },
  read: (outcome: StepOutcome) => T,
): T {
  const optimizer = createSgd({ learningRate: 0.1, momentum: 0, weightDecay: 0, nesterov: false });
  const { model, batch, objective, weightPerturber, accumulate } = parts;
  const context = craftContext(model, parts.context);
  const setup = { model, objective, weightPerturber, optimizer, learningRate: 0.1, context, accumulate };
  const outcome = trainStep(batch, setup);
  const result = read(outcome);
  disposeOutcome(outcome);
  optimizer.dispose();
  return result;
}

export const lossValues = (outcome: StepOutcome): number[] => [...outcome.loss.values.dataSync()];
