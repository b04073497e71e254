import { norms, takeExamples, type Batch, type ImageSet, type Network, type ThreatModel } from '@bulwark/core';
import { toyClassifier, type ToyModel } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { field, isObject, malformed, objectField, toTensor, type Golden, type GoldenTensor } from '../golden.js';
import type { CaseContext } from '../types.js';

/** The classifier and images that attack cases share, from the files beside them. */
export interface Setting {
  readonly model: Network;
  readonly images: ImageSet;
  /** The first so many images, or those at these positions. The setting disposes them. */
  batch(which: number | readonly number[]): Batch;
}

/** Images, bytes per pixel, and labels of `toy_a_images`. */
export function imagesOf(json: Golden): ImageSet {
  const { shape, data } = objectField(json, 'images_uint8') as unknown as GoldenTensor;
  return {
    images: Uint8Array.from(data),
    labels: Int32Array.from(field(json, 'labels') as number[]),
    shape: shape.slice(1) as unknown as ImageSet['shape'],
  };
}

/** Runs a case with the classifier and images of its folder, and frees them. */
export async function withSetting(
  context: CaseContext,
  use: (setting: Setting) => Promise<void> | void,
): Promise<void> {
  const images = imagesOf(context.read('toy_a_images') as Golden);
  const model = toyClassifier(context.read('toy_a_model') as ToyModel);
  const batches: Batch[] = [];
  try {
    await use({
      model,
      images,
      batch(which) {
        const indices = typeof which === 'number' ? Array.from({ length: which }, (_, i) => i) : which;
        const batch = takeExamples(images, indices);
        batches.push(batch);
        return batch;
      },
    });
  } finally {
    model.dispose();
    for (const { images: x, labels } of batches) tf.dispose([x, labels]);
  }
}

/** The threat that a case prints with nine digits: radii in linf are multiples of 1/255, or three decimals. */
export function threatOfCase(norm: unknown, eps: unknown): ThreatModel {
  const name = String(norm ?? 'Linf').toLowerCase();
  if (name !== 'linf' && name !== 'l2' && name !== 'l1') throw malformed(`norm ${String(norm)} is not known`);
  const printed = Number(eps);
  const bytes = Math.round(printed * 255) / 255;
  return { norm: norms[name], epsilon: Math.abs(bytes - printed) < 1e-8 ? bytes : printed };
}

/** Step sizes are printed in the same way. */
export const stepSizeOfCase = (alpha: unknown): number => threatOfCase('Linf', alpha).epsilon;

/** `runs` of a case, or the case itself where it is its only run. */
export const runsOf = (json: Golden): Golden[] =>
  Array.isArray(json['runs']) ? json['runs'].filter(isObject) : [json];

/** Share of the values that differ by more than `allowed`. */
export function shareOff(actual: ArrayLike<number>, expected: ArrayLike<number>, allowed: number): number {
  let off = 0;
  for (let i = 0; i < expected.length; i++) if (!(Math.abs(actual[i]! - expected[i]!) <= allowed)) off++;
  return off / expected.length;
}

/** The first values of a tensor, as many as the golden array has. */
export function firstValues(actual: tf.Tensor, golden: unknown): { actual: Float32Array; expected: Float32Array } {
  const expected = tf.tidy(() => toTensor(golden, 'x').dataSync().slice() as Float32Array);
  return { actual: (actual.dataSync() as Float32Array).subarray(0, expected.length), expected };
}
