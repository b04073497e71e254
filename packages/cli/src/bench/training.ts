import * as tf from '@tensorflow/tfjs-core';
import { peakBytes } from '@bulwark/core/run';
import { resetPeak } from './memory.js';
import { sampleSeconds, type Repeats, type Sample } from './sample.js';
import { benchMethods, type BenchModel, type BenchSettings } from './settings.js';
import { makeSubject, type SubjectOptions } from './subject.js';

/** What one training step costs. */
export interface TrainingRow extends SubjectOptions {
  readonly seconds: Sample;
  readonly imagesPerSecond: number;
  /** Largest sum of all tensors during a step, in bytes. */
  readonly peakTensors: number;
  /** Largest size of the process during the steps, in bytes. */
  readonly peakProcess: number;
}

/** One row; the first step, in which the engine sets itself up, also tells the size of the tensors. */
export async function measureStep(options: SubjectOptions, repeats: Repeats): Promise<TrainingRow> {
  const subject = await makeSubject(options);
  const { peakBytes: peakTensors } = await tf.profile(() => subject.step());
  resetPeak();
  const seconds = sampleSeconds(() => subject.step(), repeats);
  const peakProcess = peakBytes();
  subject.dispose();
  return { ...options, seconds, imagesPerSecond: options.batch / seconds.median, peakTensors, peakProcess };
}

/** A step of each method on one model, and the same with its attack in bfloat16 where that makes a difference. */
export async function measureTraining(model: BenchModel, settings: BenchSettings): Promise<TrainingRow[]> {
  const { steps, batch, repeats } = settings;
  const precisions = (await canReduce(model)) ? [false, true] : [false];
  const rows: TrainingRow[] = [];
  for (const method of benchMethods)
    for (const reducedPrecision of precisions) {
      const one = { model, method, batch: batch[model], steps, reducedPrecision };
      rows.push(await measureStep(one, repeats.training));
    }
  return rows;
}

async function canReduce(model: BenchModel): Promise<boolean> {
  const subject = await makeSubject({ model, method: 'at', batch: 1, steps: 1 });
  const can = subject.model.dtypes?.().includes('bfloat16') ?? false;
  subject.dispose();
  return can;
}

/** How a step of adversarial training on the small model grows with the batch and with the steps of its attack. */
export async function measureGrowth({ batch, steps, repeats }: BenchSettings): Promise<TrainingRow[]> {
  const full = batch['small-cnn'];
  const cases = [
    ...[full / 4, full / 2, full].map((size) => ({ batch: size, steps })),
    ...[0, Math.ceil(steps / 2), 2 * steps].map((count) => ({ batch: full, steps: count })),
  ];
  const rows: TrainingRow[] = [];
  for (const one of cases) rows.push(await measureStep({ model: 'small-cnn', method: 'at', ...one }, repeats.growth));
  return rows;
}
