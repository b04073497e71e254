import { createNetwork, createRandom, networkGraph, norms, type Objective, type PluginServices } from '@bulwark/core';
import { createEma, createSgd, disposeOutcome, trainStep } from '@bulwark/core/trainer';
import { objectivePlugins } from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { readNumbers } from '../../core/src/trainer/measure.js';

/** A network with all that whole passes know. */
const network = () =>
  createNetwork(
    networkGraph([8, 8, 3], (g) => {
      const normalized = g.normalize(g.input, { mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.2] });
      const stem = g.relu(g.batchNorm('bn1', g.conv('conv1', normalized, { filters: 8, kernel: 3 })));
      const wide = g.batchNorm('bn2', g.conv('conv2', stem, { filters: 16, kernel: 3, stride: 2 }));
      const short = g.conv('short', stem, { filters: 16, kernel: 1, stride: 2, padding: 0 });
      const x = g.silu(g.maxPool(g.relu(g.add(wide, short)), 2));
      return g.linear('fc', g.globalAveragePool(x), { units: 5 });
    }),
    { name: 'small', random: createRandom(3, 'initialisation') },
  );

function objectiveOf(use: string, options: Record<string, unknown>): Objective {
  const make = (kind: string, name: string, given: Record<string, unknown>) => {
    const found = objectivePlugins.find((each) => each.kind === kind && each.name === name)!;
    return found.create(found.options.parse(given) as never, services as never);
  };
  const services = {
    make: (kind: string, { use: name, ...given }: { use: string }) => make(kind, name, given),
    classNames: ['a', 'b', 'c', 'd', 'e'],
    inputShape: [8, 8, 3],
  } as unknown as PluginServices;
  return make('objective', use, options) as Objective;
}

/** A training of a small network on four images, step by step, with all that a step may have. */
export function smallTraining(use: string, options: Record<string, unknown> = {}) {
  const [model, objective] = [network(), objectiveOf(use, options)];
  const optimizer = createSgd({ learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4, nesterov: true });
  const average = createEma({ decay: 0.99, warmup: 10 });
  const batch = {
    images: createRandom(5, 'images').uniform<tf.Rank.R4>([4, 8, 8, 3]),
    labels: tf.tensor1d([0, 1, 2, 3], 'int32'),
  };
  const threat = { norm: norms.linf, epsilon: 8 / 255 };
  let steps = 0;
  return {
    model,
    /** One step, as the trainer makes it. */
    async step() {
      const context = { model, threat, random: createRandom(7, `attack/${steps++}`), epoch: 0, epochs: 1 };
      const outcome = trainStep(batch, { model, objective, optimizer, learningRate: 0.01, context });
      average.afterStep(model);
      try {
        return await readNumbers(outcome, { batch, objective, model });
      } finally {
        disposeOutcome(outcome);
      }
    },
    dispose() {
      model.dispose();
      average.dispose();
      optimizer.dispose();
      tf.dispose([batch.images, batch.labels]);
    },
  };
}
