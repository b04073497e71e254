import * as tf from '../tensor/index.js';
import { countOf, disposeBatch } from '../batch.js';
import { countingClassifier, parameterCount, type Classifier } from '../classifier/index.js';
import { permutationSampler } from '../hooks/index.js';
import { createRandom } from '../random.js';
import { createPipeline, disposeOutcome, initialState, takeSnapshot, trainStep } from '../trainer/index.js';
import { encodeCheckpoint } from './checkpoint-file.js';
import { compose, type ComposedRun } from './compose.js';
import { checkRun, engineOf, type RunServices } from './run.js';
import { firstExamples, validate } from './validate.js';

/** What a run will cost, measured on this machine. */
export interface CostPreview {
  readonly name: string;
  readonly engine: string;
  readonly parameters: number;
  readonly batchSize: number;
  readonly classes: number;
  readonly testImages: number;
  readonly stepsPerEpoch: number;
  readonly epochs: number;
  /** Passes of one step, counted while it ran; with accumulation, passes over parts of the batch. */
  readonly forwardPasses: number;
  readonly backwardPasses: number;
  /** Median over a few real steps. */
  readonly secondsPerStep: number;
  readonly secondsPerValidation: number;
  /** Comparing the best and the last checkpoint at the end. */
  readonly secondsAtEnd: number;
  readonly secondsInAll: number;
  /** Largest sum of all tensors during a step. */
  readonly peakTensorBytes: number;
  /** Largest size of this process so far, engine included. */
  readonly peakProcessBytes: number;
  readonly checkpointBytes: number;
  /** All checkpoints that a run keeps, with the one being written. */
  readonly diskBytes: number;
}

/** Checkpoints on disk at the same time: last, epoch and best, those before each of them, and the next while it is written. */
const checkpointsKept = 7;
const timedSteps = 3;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/**
 * Composes a run and makes a few of its steps, without a folder; nothing is written.
 * @category Programs
 */
export async function previewRun(input: unknown, services: RunServices & { baseFolder: string }): Promise<CostPreview> {
  const { config, registry } = await checkRun(input, services);
  const engine = await engineOf(config, registry);
  const composed = await compose(config, { registry, baseFolder: services.baseFolder, warn: services.warn });
  const { parts } = composed;
  const { model, data, optimizer } = parts;
  const craftDtype = engine.reducedPrecision ? ('bfloat16' as const) : undefined;
  const { batchSize, accumulate } = config.data;
  const sampler = data.sampler?.({ batchSize }) ?? permutationSampler(countOf(data.train), { batchSize });
  const steps = stepper(composed, sampler.epoch(createRandom(config.seed, 'shuffling/0'))[0]!);

  const { model: counted, counts: passes } = countingClassifier(model);
  const { peakBytes } = await tf.profile(() => steps.make(counted)); // also warms up
  const seconds: number[] = [];
  for (let i = 0; i < timedSteps; i++) seconds.push(await steps.timed());
  const secondsPerStep = median(seconds);

  const checking = await validationSeconds(composed);
  const epochsWithValidation = Math.ceil(config.epochs / config.evaluation.every);
  const checkpointBytes = encodeCheckpoint(await takeSnapshot(initialState({ seed: config.seed }), parts)).byteLength;
  const preview: CostPreview = {
    name: config.name,
    engine: engine.name,
    parameters: parameterCount(model),
    batchSize,
    classes: model.classes,
    testImages: countOf(data.test),
    stepsPerEpoch: sampler.batchesPerEpoch,
    epochs: config.epochs,
    forwardPasses: passes.forward,
    backwardPasses: passes.backward,
    secondsPerStep,
    secondsPerValidation: checking.validation,
    secondsAtEnd: checking.end,
    secondsInAll:
      config.epochs * sampler.batchesPerEpoch * secondsPerStep +
      epochsWithValidation * checking.validation +
      checking.end,
    peakTensorBytes: peakBytes,
    peakProcessBytes: process.resourceUsage().maxRSS * 1024,
    checkpointBytes,
    diskBytes: checkpointsKept * checkpointBytes,
  };
  model.dispose();
  optimizer.dispose();
  parts.average?.dispose();
  return preview;

  /** Makes the first step of the run as often as asked. */
  function stepper({ parts, config }: ComposedRun, indices: Int32Array) {
    const { augmentations, average } = parts;
    const { seed, epochs } = config;
    const pipeline = createPipeline({ set: data.train, classes: model.classes, augmentations, seed });
    const make = (through: Classifier) => {
      const batch = pipeline.toTensors(pipeline.prepare(indices, { epoch: 0, step: 0 }));
      const random = createRandom(seed, 'attack/0/0');
      const context = { model: through, threat: parts.threat, random, epoch: 0, epochs };
      const learningRate = optimizer.learningRate;
      const outcome = trainStep(batch, {
        ...parts,
        model: through,
        learningRate,
        context,
        accumulate,
        craftDtype,
        clipNorm: config.optimizer.clipNorm,
      });
      average?.afterStep(model);
      const { values } = outcome.loss;
      const read = values.clone();
      disposeOutcome(outcome);
      disposeBatch(batch);
      return read;
    };
    return {
      make: (through: Classifier) => make(through).dispose(),
      async timed() {
        const began = performance.now();
        const values = make(model);
        await values.data(); // engines that work asynchronously are waited for
        values.dispose();
        return (performance.now() - began) / 1000;
      },
    };
  }
}

/** Time of one validation, and of comparing two checkpoints at the end, from one batch. */
async function validationSeconds({ config, parts, attacks, further }: ComposedRun) {
  const { model, data, threat } = parts;
  const { evaluation, seed } = config;
  const sizeOf = (set: typeof data.test | undefined) =>
    set ? Math.min(countOf(set), evaluation.examples ?? Infinity) : 0;
  const sample = firstExamples(
    data.validation ?? data.test,
    Math.min(evaluation.batchSize, sizeOf(data.validation ?? data.test)),
  );
  const began = performance.now();
  await validate({ model, set: sample, attacks, threat, further, batchSize: evaluation.batchSize, seed });
  const perImage = (performance.now() - began) / 1000 / countOf(sample);
  const atEnd = { test: 2 * sizeOf(data.test), validation: 2 * sizeOf(data.validation), none: 0 }[evaluation.final];
  return { validation: perImage * sizeOf(data.validation), end: perImage * atEnd };
}
