import { countOf } from '../batch.js';
import { parameterCount } from '../classifier/index.js';
import { permutationSampler } from '../hooks/index.js';
import { createRandom } from '../random.js';
import { initialState, takeSnapshot } from '../trainer/index.js';
import { encodeCheckpoint } from './checkpoint-file.js';
import { compose, type ComposedRun } from './compose.js';
import { measureStep } from './measure-step.js';
import { checkRun, engineOf, type RunServices } from './run.js';
import { firstExamples, validate } from './validate.js';
import { peakBytes } from './peak-memory.js';

/** What a run will cost, measured on this machine. */
export interface CostPreview {
  readonly name: string;
  readonly engine: string;
  readonly parameters: number;
  readonly batchSize: number;
  /** Images of a measured step: those of a batch, or fewer where a whole step takes too long; times are then extrapolated, and the peak is that of so many. */
  readonly measuredImages: number;
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

/** How a preview measures. */
export interface PreviewOptions {
  /** Seconds that a measured step may take: a longer one is made on some of its images, and the rest is extrapolated. Default: every step is whole. */
  readonly patience?: number;
  /** Measures on images that mean nothing where a data source whose shape is known has no files here. Default: that is an error. */
  readonly standIns?: boolean;
}

/** Checkpoints on disk at the same time: last, epoch and best, those before each of them, and the next while it is written. */
const checkpointsKept = 7;

/**
 * Composes a run and makes a few of its steps, without a folder; nothing is written.
 * @category Programs
 */
export async function previewRun(
  input: unknown,
  services: RunServices & { baseFolder: string } & PreviewOptions,
): Promise<CostPreview> {
  const { config, registry } = await checkRun(input, services);
  const engine = await engineOf(config, registry);
  const { baseFolder, warn, standIns, patience } = services;
  const composed = await compose(config, { registry, baseFolder, warn, standIns });
  const { parts } = composed;
  const { model, data, optimizer, objective } = parts;
  const { batchSize } = config.data;
  const sampler = data.sampler?.({ batchSize }) ?? permutationSampler(countOf(data.train), { batchSize });
  const stepsPerEpoch = sampler.batchesPerEpoch * (objective.replays ?? 1);
  const first = sampler.epoch(createRandom(config.seed, 'shuffling/0'))[0]!;
  const craftDtype = engine.reducedPrecision ? ('bfloat16' as const) : undefined;
  const step = await measureStep(composed, { indices: first, craftDtype, patience });
  const checking = await validationSeconds(composed, step.images < first.length ? step.images : Infinity);
  const epochsWithValidation = Math.ceil(config.epochs / config.evaluation.every);
  const checkpointBytes = encodeCheckpoint(await takeSnapshot(initialState({ seed: config.seed }), parts)).byteLength;
  const preview: CostPreview = {
    name: config.name,
    engine: engine.name,
    parameters: parameterCount(model),
    batchSize,
    measuredImages: step.images,
    classes: model.classes,
    testImages: countOf(data.test),
    stepsPerEpoch,
    epochs: config.epochs,
    forwardPasses: step.passes.forward,
    backwardPasses: step.passes.backward,
    secondsPerStep: step.seconds,
    secondsPerValidation: checking.validation,
    secondsAtEnd: checking.end,
    secondsInAll:
      config.epochs * stepsPerEpoch * step.seconds + epochsWithValidation * checking.validation + checking.end,
    peakTensorBytes: step.peakBytes,
    peakProcessBytes: peakBytes(),
    checkpointBytes,
    diskBytes: checkpointsKept * checkpointBytes,
  };
  model.dispose();
  optimizer.dispose();
  parts.average?.dispose();
  return preview;
}

/** Time of one validation, and of comparing two checkpoints at the end, from one batch of at most so many images. */
async function validationSeconds({ config, parts, attacks, further }: ComposedRun, most: number) {
  const { model, data, threat } = parts;
  const { evaluation, seed } = config;
  const sizeOf = (set: typeof data.test | undefined) =>
    set ? Math.min(countOf(set), evaluation.examples ?? Infinity) : 0;
  const sample = firstExamples(
    data.validation ?? data.test,
    Math.min(evaluation.batchSize, sizeOf(data.validation ?? data.test), most),
  );
  const began = performance.now();
  await validate({ model, set: sample, attacks, threat, further, batchSize: evaluation.batchSize, seed });
  const perImage = (performance.now() - began) / 1000 / countOf(sample);
  const atEnd = { test: 2 * sizeOf(data.test), validation: 2 * sizeOf(data.validation), none: 0 }[evaluation.final];
  return { validation: perImage * sizeOf(data.validation), end: perImage * atEnd };
}
