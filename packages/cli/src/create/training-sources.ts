import { at, smallCnn, smallData, type Starter } from './starter.js';

const classification: Starter = {
  describe: 'describeClassification',
  options: '{ refused: [{ margin: -1 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\nobjective: { use: compose, inner: { use: pgd, steps: 3, stepSize: 0.05 }, classification: { use: __name__, margin: 0.5 } }`,
  source: `import { crossEntropy, defineClassification, number } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** Cross-entropy with the logit of the true class lowered by a margin: replace this by your loss. \`y\` is 0 where there is no label. */
export const __export__ = defineClassification({
  name: '__name__',
  summary: 'One sentence about the loss.',
  options: { margin: number({ min: 0 }).default(0.5).describe('what the true class has to be ahead by') },
  create:
    ({ margin }) =>
    ({ z, y }) =>
      crossEntropy(tf.sub(z.adversarial, tf.mul(margin, y)) as tf.Tensor2D, y),
});
`,
};

const augmentation: Starter = {
  describe: 'describeAugmentation',
  options: '{ refused: [{ probability: 2 }] }',
  packages: [],
  config: `data: { use: fashion-mnist-mini, batchSize: 64, limit: { train: 640 }, augment: [{ use: __name__, probability: 0.2 }] }\n${smallCnn}\n${at}`,
  source: `import { defineAugmentation, number } from '@bulwark/core';

/** Negatives of some images: replace this by your change. Draw in an order that is always the same, and only from \`random\`. */
export const __export__ = defineAugmentation({
  name: '__name__',
  summary: 'One sentence about the change.',
  options: { probability: number({ min: 0, max: 1 }).default(0.5).describe('of changing an image') },
  create: ({ probability }) => ({
    apply(batch, random) {
      const size = batch.pixels.length / batch.labels.length;
      for (let i = 0; i < batch.labels.length; i++) {
        if (random.next() >= probability) continue;
        for (let j = i * size; j < (i + 1) * size; j++) batch.pixels[j] = 1 - batch.pixels[j]!;
      }
      return batch;
    },
  }),
});
`,
};

const schedule: Starter = {
  describe: 'describeSchedule',
  options: '{ refused: [{ power: 0 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\n${at}\noptimizer: { use: sgd, schedule: { use: __name__, power: 2 } }`,
  source: `import { defineSchedule, number } from '@bulwark/core';

/** \`(1 - share of the run)^power\`: replace this by your factor on the base learning rate. */
export const __export__ = defineSchedule({
  name: '__name__',
  summary: 'One sentence about the course of the rate.',
  options: { power: number({ above: 0 }).default(2).describe('how fast the rate falls') },
  create: ({ power }) => ({
    factor: ({ epoch, epochs, step, stepsPerEpoch }) => (1 - (epoch + step / stepsPerEpoch) / epochs) ** power,
  }),
});
`,
};

const average: Starter = {
  describe: 'describeAverage',
  options: '{ refused: [{ share: 2 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\n${at}\naveraging: { use: __name__, share: 0.5 }`,
  source: `import { defineAverage, number } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** Moves towards the weights at the end of each epoch: replace this by your average. What it holds, checkpoints keep. */
export const __export__ = defineAverage({
  name: '__name__',
  summary: 'One sentence about the average.',
  options: { share: number({ min: 0, max: 1 }).default(0.5).describe('share of the newest weights') },
  create: ({ share }) => () => {
    const held = new Map<string, tf.Tensor>();
    let last = 0;
    const replace = (name: string, value: tf.Tensor) => {
      held.get(name)?.dispose();
      held.set(name, tf.keep(value));
    };
    return {
      state: {
        save: () => ({ tensors: held, values: { last } }),
        restore({ tensors, values }) {
          for (const [name, tensor] of tensors) replace(name, tensor.clone());
          ({ last } = values as { last: number });
        },
      },
      afterStep: () => undefined,
      afterEpoch(model, { epoch }) {
        if (epoch === last) return; // it comes again after a validation that was interrupted
        last = epoch;
        for (const [group, variables] of [['model', model.parameters], ['statistics', model.statistics]] as const)
          for (const [name, now] of variables) {
            const key = \`\${group}/\${name}\`;
            const before = held.get(key);
            replace(key, tf.tidy(() => (before ? tf.add(before, tf.mul(share, tf.sub(now, before))) : now.clone())));
          }
      },
      dispose() {
        held.forEach((tensor) => tensor.dispose());
        held.clear();
      },
    };
  },
});
`,
};

const optimizer: Starter = {
  describe: 'describeOptimizer',
  options: '{ refused: [{ learningRate: 0 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\n${at}\noptimizer: { use: __name__, learningRate: 0.01 }`,
  source: `import { defineOptimizer, number } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** Steps along the sign of the mean gradient: replace this by your update. What it remembers is a slot by name, which checkpoints keep. */
export const __export__ = defineOptimizer({
  name: '__name__',
  summary: 'One sentence about the update.',
  options: {
    learningRate: number({ above: 0 }).default(0.01).describe('base learning rate; the schedule multiplies it'),
    beta: number({ min: 0, max: 1 }).default(0.9).describe('share of the old mean'),
  },
  create({ learningRate, beta }) {
    const slots = new Map<string, tf.Tensor>();
    const keep = (name: string, value: tf.Tensor) => {
      slots.get(name)?.dispose();
      slots.set(name, tf.keep(value));
    };
    return {
      learningRate,
      apply(parameters, gradients, rate) {
        for (const [name, gradient] of gradients)
          tf.tidy(() => {
            const [slot, weight] = [\`mean/\${name}\`, parameters.get(name)!];
            const before = slots.get(slot);
            const mean = before ? tf.add(tf.mul(beta, before), tf.mul(1 - beta, gradient)) : gradient.clone();
            const positive = tf.cast(tf.greater(mean, 0), 'float32');
            const sign = tf.sub(positive, tf.cast(tf.less(mean, 0), 'float32'));
            weight.assign(tf.sub(weight, tf.mul(rate, sign)));
            keep(slot, mean);
          });
      },
      // no weight decay: the gradients as they are, as tensors of the caller's
      decayed: (gradients) => new Map([...gradients].map(([name, gradient]) => [name, gradient.clone()])),
      slots: () => slots,
      restoreSlots: (saved) => saved.forEach((value, name) => keep(name, value.clone())),
      dispose() {
        slots.forEach((slot) => slot.dispose());
        slots.clear();
      },
    };
  },
});
`,
};

/** Starters of what belongs to training besides the method. */
export const trainingStarters = { classification, augmentation, optimizer, schedule, average } as const;
