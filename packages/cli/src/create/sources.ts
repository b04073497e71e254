import { placeStarters } from './place-sources.js';
import { at, smallCnn, smallData, type Starter } from './starter.js';
import { trainingStarters } from './training-sources.js';

const objective: Starter = {
  describe: 'describeObjective',
  options: '{ options: { inner: { steps: 2 } }, refused: [{ beta: -1 }] }',
  packages: ['objectives'],
  config: `${smallData}\n${smallCnn}\nobjective: { use: __name__, beta: 1, inner: { steps: 3, stepSize: 0.05 } }`,
  source: `import { crossEntropy, defineObjective, meanSquared, weight, weighted } from '@bulwark/core';
import { innerSection, pgd } from '@bulwark/objectives';

/** \`CE(z(x'), y) + beta mean (z(x) - z(x'))^2\`: replace this by the loss of your method. */
export const __export__ = defineObjective({
  name: '__name__',
  summary: 'One sentence about the method.',
  cite: 'Authors, year, equation; arXiv number',
  options: { beta: weight(1, 'the pairing'), inner: innerSection({ start: 'uniform', mode: 'eval' }) },
  create: ({ beta, inner }) => ({
    // which neighbours of x it trains on
    points: pgd(inner),
    // the loss, one value per example; z are logits by point, y what they are compared with
    loss: {
      classification: ({ z, y }) => crossEntropy(z.adversarial, y),
      pairing: weighted(beta, ({ z }) => meanSquared(z.natural, z.adversarial)),
    },
  }),
});
`,
};

const innerOptimizer: Starter = {
  describe: 'describeInnerOptimizer',
  options: '{ refused: [{ scale: -1 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\nobjective: { use: compose, inner: { use: __name__ }, classification: { use: cross-entropy, at: adversarial } }`,
  source: `import { attackStep, crossEntropy, defineInnerOptimizer, inputGradient, number } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** One step from a random start: replace this by your way to the neighbours. Whatever runs here is off the gradient tape. */
export const __export__ = defineInnerOptimizer({
  name: '__name__',
  summary: 'One sentence about the neighbours.',
  options: { scale: number({ min: 0 }).default(1).describe('length of the step, in epsilons') },
  create: ({ scale }) => ({
    produces: ['adversarial'],
    craft: (batch, { model, threat, random }) => ({
      points: {
        adversarial: tf.tidy(() => {
          const { images, labels } = batch;
          const noise = threat.norm.randomStart(random, { shape: images.shape, epsilon: threat.epsilon });
          const start = tf.clipByValue(tf.add(images, noise), 0, 1) as tf.Tensor4D;
          const { gradient } = inputGradient(model, start, { loss: (logits) => crossEntropy(logits, labels) });
          // attackStep projects onto the ball and onto [0, 1]
          return attackStep(start, gradient, { origin: images, threat, stepSize: scale * threat.epsilon });
        }),
      },
    }),
  }),
});
`,
};

const regularizer: Starter = {
  describe: 'describeRegularizer',
  options: '{ refused: [{ power: 0 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\nobjective: { use: compose, inner: { use: pgd, steps: 3, stepSize: 0.05 }, regularizer: __name__, beta: 1 }`,
  source: `import { defineRegularizer, number } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** Mean over classes of \`|z - z'|^power\`: replace this by your penalty. */
export const __export__ = defineRegularizer({
  name: '__name__',
  summary: 'One sentence about the penalty.',
  options: { power: number({ min: 1 }).default(2).describe('power of the distance of two logits') },
  create:
    ({ power }) =>
    ({ z }) =>
      tf.mean(tf.pow(tf.abs(tf.sub(z.natural, z.adversarial)), power), 1) as tf.Tensor1D,
});
`,
};

const weightPerturber: Starter = {
  describe: 'describeWeightPerturber',
  options: '{ refused: [{ gamma: -1 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\n${at}\nweightPerturber: { use: __name__, gamma: 0.005 }`,
  source: `import { defineWeightPerturber, number } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** \`gamma |w| g / |g|\` for every parameter: replace this by your choice of weights to differentiate at. */
export const __export__ = defineWeightPerturber({
  name: '__name__',
  summary: 'One sentence about the perturbation.',
  options: { gamma: number({ min: 0 }).default(0.005).describe('length of the move relative to each parameter') },
  create: ({ gamma }) => ({
    perturb({ model, gradients }) {
      const found = gradients();
      const offset = (name: string, gradient: tf.Tensor) =>
        tf.tidy(() => {
          const scale = tf.divNoNan(tf.norm(model.parameters.get(name)!), tf.norm(gradient));
          return tf.mul(tf.mul(gamma, scale), gradient);
        });
      const offsets = new Map([...found].map(([name, gradient]) => [name, offset(name, gradient)]));
      found.forEach((gradient) => gradient.dispose());
      return offsets; // the trainer disposes them and restores the weights
    },
  }),
});
`,
};

const data: Starter = {
  describe: 'describeDataSource',
  options: '{ options: { count: 40 }, refused: [{ count: 0 }] }',
  packages: [],
  config: `data: { use: __name__, count: 640, batchSize: 64 }\nmodel: { use: mlp, width: 16 }\n${at}`,
  source: `import { createRandom, defineDataSource, integer, type ImageSet } from '@bulwark/core';

const side = 8;

/** Grey images whose bright half is the class: replace this by reading your images as bytes. */
function draw(count: number, purpose: string): ImageSet {
  const random = createRandom(0, purpose);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * side * side }, (_, i) => {
    const right = i % side >= side / 2;
    const label = labels[Math.floor(i / (side * side))];
    return (right === (label === 1) ? 170 : 85) + random.integer(60);
  });
  return { images, labels, shape: [side, side, 1] };
}

export const __export__ = defineDataSource({
  name: '__name__',
  summary: 'One sentence about the images.',
  options: { count: integer({ min: 1 }).default(1000).describe('number of training images') },
  create: ({ count }) => ({
    name: '__name__',
    shape: [side, side, 1],
    classNames: ['left', 'right'],
    train: draw(count, 'train'),
    validation: draw(100, 'validation'),
    test: draw(100, 'test'),
    notes: ['Where the images come from, and their licence.'],
  }),
});
`,
};

const model: Starter = {
  describe: 'describeModel',
  options: '{ options: { width: 4 }, refused: [{ width: 0 }] }',
  packages: [],
  config: `${smallData}\nmodel: { use: __name__, width: 8 }\n${at}`,
  source: `import { createNetwork, defineModel, integer, networkGraph } from '@bulwark/core';

/** Two convolutions: replace this by your architecture. Layer names become names of weights in checkpoints. */
export const __export__ = defineModel({
  name: '__name__',
  summary: 'One sentence about the architecture.',
  options: { width: integer({ min: 1 }).default(16).describe('channels of the first convolution') },
  create({ width }, { inputShape, classNames, random }) {
    const graph = networkGraph([...inputShape], (g) => {
      const first = g.relu(g.batchNorm('bn1', g.conv('conv1', g.input, { filters: width, kernel: 3, stride: 2 })));
      const second = g.relu(g.batchNorm('bn2', g.conv('conv2', first, { filters: 2 * width, kernel: 3, stride: 2 })));
      return g.linear('fc', g.globalAveragePool(second), { units: classNames.length });
    });
    return createNetwork(graph, { name: '__name__', random: random('initialisation') });
  },
});
`,
};

const attack: Starter = {
  describe: 'describeAttack',
  options: '{ refused: [{ steps: 0 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\n${at}\nevaluation: { attacks: [{ use: __name__, steps: 5 }], examples: 100 }`,
  source: `import { crossEntropy, defineAttack, gradientLoop, integer } from '@bulwark/core';
import * as tf from '@bulwark/core/tfjs';

/** Signed gradient steps from the image: replace this by your attack. The evaluator judges the candidates. */
export const __export__ = defineAttack({
  name: '__name__',
  summary: 'One sentence about the attack.',
  options: { steps: integer({ min: 1 }).default(10).describe('gradient steps') },
  create: ({ steps }) => ({
    label: \`__name__-\${steps}\`,
    settings: { steps },
    run: (images, labels, { model, threat }) =>
      tf.tidy(() =>
        gradientLoop({
          origin: images,
          start: images,
          steps,
          stepSize: (2 * threat.epsilon) / steps,
          threat,
          model,
          loss: (logits) => crossEntropy(logits, labels),
        }),
      ),
  }),
});
`,
};

const callback: Starter = {
  describe: 'describeCallback',
  options: '{ refused: [{ every: 0 }] }',
  packages: [],
  config: `${smallData}\n${smallCnn}\n${at}\ncallbacks: [{ use: __name__, every: 5 }]`,
  source: `import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineCallback, integer } from '@bulwark/core';

/** Writes losses into the run folder: replace this by what you want to know. It sees copies, and cannot change the run. */
export const __export__ = defineCallback({
  name: '__name__',
  summary: 'One sentence about what it tells.',
  options: { every: integer({ min: 1 }).default(10).describe('steps between two lines') },
  create({ every }) {
    let file: string;
    return {
      start: ({ folder }) => void (file = join(folder, '__name__.jsonl')),
      step({ position, loss }) {
        if (position % every === 0) appendFileSync(file, \`\${JSON.stringify({ position, loss })}\\n\`);
      },
      epoch: ({ metrics }) => appendFileSync(file, \`\${JSON.stringify(metrics)}\\n\`),
    };
  },
});
`,
};

/** Starters by kind. */
export const starters = {
  objective,
  'inner-optimizer': innerOptimizer,
  regularizer,
  'weight-perturber': weightPerturber,
  data,
  model,
  attack,
  callback,
  ...trainingStarters,
  ...placeStarters,
} as const satisfies Readonly<Record<string, Starter>>;

export type StarterKind = keyof typeof starters;
