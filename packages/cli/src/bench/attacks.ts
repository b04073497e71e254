import { logitsOf, createRandom, disposeBatch, takeExamples, useEngine, type ComposedRun } from '@bulwark/core';
import { judge } from '@bulwark/core/evaluation';
import { checkRun, compose } from '@bulwark/core/run';
import { disposeOutcome, trainStep } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { builtinRegistry } from '../registry.js';
import type { BenchSettings } from './settings.js';

/** How fast one stage of AutoAttack is. */
export interface AttackRow {
  readonly stage: string;
  readonly images: number;
  /** Share of the stage's iterations that was run; the rate is for all of them. */
  readonly share: number;
  readonly imagesPerSecond: number;
}

/** The stages of standard AutoAttack at a share of their iterations. */
const stages = (share: number) => {
  const iterations = Math.max(1, Math.round(100 * share));
  return {
    'apgd-ce': { use: 'apgd', loss: 'ce', iterations },
    'apgd-t': { use: 'apgd', loss: 'dlr-targeted', iterations },
    'fab-t': { use: 'fab-t', iterations },
    square: { use: 'square', queries: Math.max(1, Math.round(5000 * share)) },
  };
};

const trainingSteps = 60;

/** The small CNN on the bundled images. */
async function composed(): Promise<ComposedRun> {
  const input = {
    data: { use: 'fashion-mnist-mini' },
    model: 'small-cnn',
    threat: { norm: 'linf', epsilon: 0.02 },
    objective: 'natural',
    optimizer: { use: 'sgd', learningRate: 0.1 },
    epochs: 1,
  };
  const services = { registry: builtinRegistry(), baseFolder: process.cwd() };
  const { config, registry } = await checkRun(input, services);
  return compose(config, { ...services, registry });
}

/**
 * Weights after a few steps of training: an attack on chance predictions would end at once. Trained on wasm, so that all
 * engines attack the same network, and a very slow one need not train it.
 */
async function trainedWeights(): Promise<Map<string, tf.TypedArray>> {
  await useEngine('wasm');
  const { parts } = await composed();
  const random = createRandom(1, 'bench');
  const context = { model: parts.model, threat: parts.threat, random, epoch: 0, epochs: 1 };
  const order = random.permutation(parts.data.train.labels.length);
  for (let step = 0; step < trainingSteps; step++) {
    const start = (step * 64) % (order.length - 64);
    const batch = takeExamples(parts.data.train, order.subarray(start, start + 64));
    disposeOutcome(trainStep(batch, { ...parts, learningRate: 0.1, context }));
    disposeBatch(batch);
  }
  const { model } = parts;
  const weights = new Map(
    [...model.parameters, ...model.statistics].map(([name, of]) => [name, of.dataSync().slice()]),
  );
  model.dispose();
  parts.optimizer.dispose();
  return weights;
}

/**
 * Images per second of each stage, all stages on the same images with the model's own answers as labels.
 * @param useAgain makes the engine that is measured current
 */
export async function measureAttacks(
  useAgain: () => Promise<unknown>,
  { attacks }: BenchSettings,
): Promise<AttackRow[]> {
  const weights = await trainedWeights();
  await useAgain();
  const { services, parts } = await composed();
  const { model, data, threat } = parts;
  for (const [name, variable] of [...model.parameters, ...model.statistics])
    tf.tidy(() => variable.assign(tf.tensor(weights.get(name)!, variable.shape)));
  const { images, labels } = takeExamples(
    data.test,
    Array.from({ length: attacks.images }, (_, i) => i),
  );
  const answers = tf.tidy(() => tf.cast(tf.argMax(logitsOf(model, images), 1), 'int32') as tf.Tensor1D);
  const rows: AttackRow[] = [];
  for (const [stage, spec] of Object.entries(stages(attacks.share))) {
    const attack = services.make('attack', spec);
    const context = { model, threat, random: createRandom(1, stage) };
    const { candidates, seconds } = await judge(attack, { images, labels: answers }, context);
    candidates.dispose();
    const imagesPerSecond = (attacks.images * attacks.share) / seconds;
    rows.push({ stage, images: attacks.images, share: attacks.share, imagesPerSecond });
  }
  tf.dispose([images, labels, answers]);
  model.dispose();
  parts.optimizer.dispose();
  return rows;
}
