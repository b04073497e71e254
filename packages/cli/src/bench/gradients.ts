import { crossEntropy, inputGradient, logitGradients, logitsOf } from '@bulwark/core';
import { multiplyAccumulates } from '@bulwark/core/network';
import * as tf from '@tensorflow/tfjs-core';
import { mapSample, sampleSeconds, type Sample } from './sample.js';
import type { BenchModel, BenchSettings } from './settings.js';
import { makeSubject } from './subject.js';

/** What one pass through a model costs. */
export interface GradientRow {
  readonly model: BenchModel;
  readonly batch: number;
  readonly pass: keyof typeof work;
  /** Milliseconds for one image of the batch. */
  readonly perImage: Sample;
  /** Of the convolutions and linear layers alone, whose operations are counted. */
  readonly gflops: number;
}

/** Times the multiply-accumulates of the forward pass are made in each pass, with two operations each. */
const work = { forward: 1, 'input gradient': 2, 'input gradient in bfloat16': 2, 'parameter gradient': 3 } as const;

/**
 * Forward pass, gradient in the images (in bfloat16, too, where the engine can), gradient in all parameters (with batch statistics),
 * each with its numbers read.
 */
export async function measureGradients(name: BenchModel, settings: BenchSettings): Promise<GradientRow[]> {
  const batch = settings.batch[name];
  const subject = await makeSubject({ model: name, method: 'at', batch, steps: 1 });
  const { model } = subject;
  const { images, labels } = subject.batch;
  const loss = (logits: tf.Tensor2D) => crossEntropy(logits, labels);
  const passes: Readonly<Partial<Record<GradientRow['pass'], () => tf.Tensor>>> = {
    forward: () => logitsOf(model, images),
    'input gradient': () => inputGradient(model, images, { loss }).gradient,
    ...(model.dtypes?.().includes('bfloat16') && {
      'input gradient in bfloat16': () => inputGradient(model, images, { loss, computeDtype: 'bfloat16' }).gradient,
    }),
    'parameter gradient': () => {
      const pass = model.pass([images], { mode: 'batch', wrt: 'parameters' });
      const { parameters } = pass.pullback(logitGradients(pass.logits, (logits) => loss(logits!)).dLogits);
      pass.dispose();
      return tf.addN([...parameters.values()].map((gradient) => tf.slice(tf.reshape(gradient, [-1]), 0, 1)));
    },
  };
  const operations = 2 * multiplyAccumulates(model.graph) * batch;
  const rows = Object.entries(passes).map(([pass, compute]): GradientRow => {
    const once = (): void => tf.tidy(() => void compute().dataSync());
    once();
    const seconds = sampleSeconds(once, settings.repeats.gradients);
    return {
      model: name,
      batch,
      pass: pass as GradientRow['pass'],
      perImage: mapSample(seconds, (s) => (1000 * s) / batch),
      gflops: (operations * work[pass as GradientRow['pass']]) / seconds.median / 1e9,
    };
  });
  subject.dispose();
  return rows;
}
