import * as tf from '../tensor/index.js';
import { disposeBatch } from '../batch.js';
import { countingClassifier, type Classifier } from '../classifier/index.js';
import { createRandom } from '../random.js';
import { createPipeline, disposeOutcome, trainStep, type StepSetup } from '../trainer/index.js';
import type { ComposedRun } from './compose.js';

/** What one training step takes. */
export interface MeasuredStep {
  /** Of a whole step. */
  readonly seconds: number;
  /** Images of the steps that were timed. */
  readonly images: number;
  readonly passes: { readonly forward: number; readonly backward: number };
  /** Largest sum of all tensors during a timed step. */
  readonly peakBytes: number;
}

const timedSteps = 3;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** So many of a batch, spread over it: the parts of a mixed batch keep their shares. */
const someOf = (indices: Int32Array, count: number) =>
  Int32Array.from({ length: count }, (_, i) => indices[Math.floor((i * indices.length) / count)]!);

/**
 * Makes the first step of a run a few times. Without patience every step is whole. With it, one on a few images comes first: if a whole one
 * takes longer than that many seconds, time is a line through two sizes, because a part of it (weights, optimizer) does not grow with the batch.
 */
export async function measureStep(
  composed: ComposedRun,
  given: Pick<StepSetup, 'craftDtype'> & { indices: Int32Array; patience?: number | undefined },
): Promise<MeasuredStep> {
  const { indices, patience = Infinity } = given;
  const whole = indices.length;
  const steps = stepper(composed, given.craftDtype);
  // two of each part: the variance of one image at one place is no number
  const least = Math.min(whole, patience === Infinity ? whole : 2 * composed.config.data.accumulate);
  const { peakBytes, passes } = await steps.watch(someOf(indices, least)); // also warms up
  const few = await steps.time(someOf(indices, least), least === whole ? timedSteps : 1);
  if (least === whole) return { seconds: few, images: whole, passes, peakBytes };
  const images = Math.min(whole, Math.floor((least * patience) / few));
  if (images <= least) return { seconds: (few / least) * whole, images: least, passes, peakBytes };
  const some = someOf(indices, images);
  const { peakBytes: peak } = await steps.watch(some);
  const many = await steps.time(some, timedSteps);
  const perImage = many > few ? (many - few) / (images - least) : many / images;
  return { seconds: many + (whole - images) * perImage, images, passes, peakBytes: peak };
}

/** Makes steps of a run at its beginning, as often as asked. */
function stepper({ parts, config }: ComposedRun, craftDtype: StepSetup['craftDtype']) {
  const { model, data, optimizer, augmentations, average, threat } = parts;
  const { seed, epochs } = config;
  const { accumulate } = config.data;
  const { clipNorm } = config.optimizer;
  const { learningRate } = optimizer;
  const pipeline = createPipeline({ set: data.train, classes: model.classes, augmentations, seed });
  const make = (indices: Int32Array, through: Classifier = model) => {
    const batch = pipeline.toTensors(pipeline.prepare(indices, { epoch: 0, step: 0 }));
    const random = createRandom(seed, 'attack/0/0');
    const context = { model: through, threat, random, epoch: 0, epochs, progress: 0 };
    const outcome = trainStep(batch, {
      ...parts,
      ...{ model: through, learningRate, context, accumulate, craftDtype, clipNorm },
    });
    average?.afterStep(model);
    const values = outcome.loss.values.clone();
    disposeOutcome(outcome);
    disposeBatch(batch);
    return values;
  };
  return {
    /** Counts passes and memory of a step. */
    async watch(indices: Int32Array) {
      const { model: counted, counts: passes } = countingClassifier(model);
      const { peakBytes } = await tf.profile(() => make(indices, counted).dispose());
      return { peakBytes, passes };
    },
    /** Median over some steps, in seconds. */
    async time(indices: Int32Array, steps: number) {
      const seconds: number[] = [];
      for (let i = 0; i < steps; i++) {
        const began = performance.now();
        const values = make(indices);
        await values.data(); // engines that work asynchronously are waited for
        values.dispose();
        seconds.push((performance.now() - began) / 1000);
      }
      return median(seconds);
    },
  };
}
