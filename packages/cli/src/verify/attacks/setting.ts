import {
  norms,
  takeExamples,
  type NormName,
  type Batch,
  type ImageSet,
  type Network,
  type ThreatModel,
} from '@bulwark/core';
import { toyClassifier, type ToyModel } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { field, isObject, malformed, objectField, toTensor, type Golden, type GoldenTensor } from '../golden.js';
import type { CaseContext, OtherFiles } from '../types.js';

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

export const isClassifier = (json: unknown): json is Golden & ToyModel =>
  isObject(json) && typeof json['arch'] === 'string' && isObject(json['layers']);
export const isImages = (json: unknown): json is Golden => isObject(json) && 'images_uint8' in json && 'labels' in json;

/** Classifiers and images of a folder, in whatever files they are. */
function partsIn({ all }: OtherFiles) {
  const files = all((json) => isClassifier(json) || isImages(json));
  return { classifiers: files.filter(isClassifier), images: files.filter((json) => isImages(json)) };
}

/** The one of this name; where names do not tell, the only one. */
function chosen<T extends Golden>(parts: readonly T[], wanted: unknown): T | undefined {
  return (
    parts.find(({ name }) => name === wanted) ?? (wanted === undefined && parts.length === 1 ? parts[0] : undefined)
  );
}

/** The classifier that a case names, with its images: from the case's folder, else those that come with Bulwark. */
function partsOf({ folder, bundled }: CaseContext, wanted: unknown) {
  for (const place of [folder, bundled]) {
    const parts = partsIn(place);
    const [classifier, images] = [chosen(parts.classifiers, wanted), chosen(parts.images, wanted)];
    if (classifier && images) return { classifier, images };
  }
  const known = [folder, bundled].flatMap((place) => partsIn(place).classifiers.map(({ name }) => String(name)));
  throw malformed(
    `the classifier ${JSON.stringify(wanted)} is in no file of its folder, or has no images there; classifiers with images: ${[...new Set(known)].join(', ') || 'none'}`,
  );
}

/** Runs a case with the classifier and images that it names, and frees them. */
export async function withSetting(
  context: CaseContext,
  wanted: unknown,
  use: (setting: Setting) => Promise<void> | void,
): Promise<void> {
  const { classifier, images: shown } = partsOf(context, wanted);
  const images = imagesOf(shown);
  const model = toyClassifier(classifier, images.shape);
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

const isNorm = (name: string): name is NormName => Object.hasOwn(norms, name);

/** The threat that a case prints with nine digits: radii in linf are multiples of 1/255, or three decimals. */
export function threatOfCase(norm: unknown, eps: unknown): ThreatModel {
  const name = String(norm ?? 'Linf').toLowerCase();
  if (!isNorm(name)) throw malformed(`norm ${String(norm)} is not known`);
  const printed = Number(eps);
  const bytes = Math.round(printed * 255) / 255;
  return { norm: norms[name], epsilon: Math.abs(bytes - printed) < 1e-8 ? bytes : printed };
}

/** Step sizes are printed in the same way. */
export const stepSizeOfCase = (alpha: unknown): number => threatOfCase('Linf', alpha).epsilon;

/** A text of flags as numbers. */
export const bits = (text: unknown): number[] => [...String(text)].map(Number);

/** A field of numbers. */
export const numbers = (json: Golden, name: string): number[] => field(json, name) as number[];

/** `runs` of a case, or the case itself where it is its only run. */
export const runsOf = (json: Golden): Golden[] =>
  Array.isArray(json['runs']) ? json['runs'].filter(isObject) : [json];

/** Share of the values that differ by more than `allowed`. */
export function shareOff(actual: ArrayLike<number>, expected: ArrayLike<number>, allowed: number): number {
  let off = 0;
  for (let i = 0; i < expected.length; i++) if (!(Math.abs(actual[i]! - expected[i]!) <= allowed)) off++;
  return off / expected.length;
}

/** How many of the flags differ. */
export const flagsOff = (actual: ArrayLike<number>, expected: readonly number[]): number =>
  expected.filter((flag, e) => flag !== actual[e]).length;

/** The first values of a tensor, as many as the golden array has. */
export function firstValues(actual: tf.Tensor, golden: unknown): { actual: Float32Array; expected: Float32Array } {
  const expected = tf.tidy(() => toTensor(golden, 'x').dataSync().slice() as Float32Array);
  return { actual: (actual.dataSync() as Float32Array).subarray(0, expected.length), expected };
}
