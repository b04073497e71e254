import {
  createRandom,
  defineDataSource,
  disposeBatch,
  integer,
  takeExamples,
  type Batch,
  type ComposedRun,
  type ImageSet,
  type Network,
  type Plugin,
} from '@bulwark/core';
import { checkRun, compose } from '@bulwark/core/run';
import { DrawnAhead, disposeOutcome, trainStep } from '@bulwark/core/trainer';
import { builtinRegistry } from '../registry.js';
import type { BenchModel, benchMethods } from './settings.js';

/** A model that steps are measured of; the large one on GPUs only, by `scripts/compare-pytorch.mjs`. */
export type SubjectModel = BenchModel | 'wrn-28-10';

const shapes: Readonly<Record<SubjectModel, { side: number; channels: number }>> = {
  'small-cnn': { side: 28, channels: 1 },
  resnet18: { side: 32, channels: 3 },
  'wrn-28-10': { side: 32, channels: 3 },
};

const classes = 10;

/** Noise with labels: what the pixels show does not matter to the time that a step takes. */
const noiseData: Plugin = defineDataSource({
  name: 'bench-noise',
  summary: 'Noise with random labels, for measuring.',
  options: {
    side: integer({ min: 1 }).describe('pixels per side'),
    channels: integer({ min: 1 }).describe('colours'),
    images: integer({ min: 1 }).describe('how many'),
  },
  create: ({ side, channels, images }) => {
    const random = createRandom(1, 'bench');
    const set: ImageSet = {
      images: Uint8Array.from({ length: images * side * side * channels }, () => random.integer(256)),
      labels: Int32Array.from({ length: images }, () => random.integer(classes)),
      shape: [side, side, channels],
    };
    const classNames = Array.from({ length: classes }, (_, i) => String(i));
    return { name: 'noise', shape: set.shape, classNames, train: set, test: set };
  },
});

/** A model with one batch, and a training step of a method on them. */
export interface Subject {
  readonly run: ComposedRun;
  readonly model: Network;
  readonly batch: Batch;
  /** One training step, which ends when its loss is there. */
  step(): void;
  dispose(): void;
}

export interface SubjectOptions {
  readonly model: SubjectModel;
  readonly method: (typeof benchMethods)[number];
  readonly batch: number;
  /** Steps of the inner attack. */
  readonly steps: number;
  /** The attack in bfloat16, where the engine can. */
  readonly reducedPrecision?: boolean;
}

/** Composes a run as `bulwark train` does, on noise. */
export async function makeSubject(options: SubjectOptions): Promise<Subject> {
  const input = {
    data: { use: 'bench-noise', ...shapes[options.model], images: options.batch, batchSize: options.batch },
    model: options.model === 'wrn-28-10' ? { use: 'wide-resnet', depth: 28, width: 10 } : options.model,
    threat: { norm: 'linf', epsilon: 8 / 255 },
    objective: { use: options.method, inner: { steps: options.steps, stepSize: 2 / 255 } },
    optimizer: { use: 'sgd', learningRate: 0.01 },
    epochs: 1,
  };
  const services = { registry: builtinRegistry().register(noiseData), baseFolder: process.cwd() };
  const checked = await checkRun(input, services);
  const run = await compose(checked.config, { ...services, registry: checked.registry });
  const { parts } = run;
  const craftDtype = options.reducedPrecision ? ('bfloat16' as const) : undefined;
  const batch = takeExamples(parts.data.train, [...parts.data.train.labels.keys()]);
  const draws = new DrawnAhead(1);
  let count = 0;
  return {
    run,
    model: parts.model as Network,
    batch,
    step() {
      const random = draws.random(`attack/0/${count++}`);
      const context = { model: parts.model, threat: parts.threat, random, epoch: 0, epochs: 1 };
      const outcome = trainStep(batch, { ...parts, learningRate: 0.01, context, craftDtype });
      draws.draw(`attack/0/${count}`); // as the trainer does, while a GPU still works
      outcome.loss.values.dataSync();
      disposeOutcome(outcome);
    },
    dispose() {
      disposeBatch(batch);
      parts.model.dispose();
      parts.optimizer.dispose();
    },
  };
}
