import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError } from './errors.js';

/** Height, width, channels of one image. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/** One batch as the training step sees it. */
export interface Batch {
  /** `[batch, height, width, channels]` float32 in [0, 1]. */
  readonly images: tf.Tensor4D;
  /** `[batch]` int32 in [0, classes); -1 means "no label" (RST without pseudo-labels). */
  readonly labels: tf.Tensor1D;
  /** `[batch, classes]` float32 rows that sum to 1, where an augmentation mixed labels (mixup, cutmix). */
  readonly targets?: tf.Tensor2D;
}

/** A labelled set of images, held as bytes: pixel value / 255 is the float32 image in [0, 1]. */
export interface ImageSet {
  /** count * height * width * channels bytes, NHWC. */
  readonly images: Uint8Array;
  /** One label per image, in [0, classes), or -1 for "no label". */
  readonly labels: Int32Array;
  readonly shape: ImageShape;
}

/** No label: such an example takes part in consistency terms, not in classification terms. */
export const unlabelled = -1;

/** Number of images of a set. */
export const countOf = (set: ImageSet): number => set.labels.length;

/** Checks an image set once, when a data source hands it over. */
export function checkImageSet(set: ImageSet, where: { name: string; classes: number }): ImageSet {
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  if (set.images.length !== size * set.labels.length)
    throw new BulwarkError(
      'BATCH_INVALID',
      `${where.name}: ${set.images.length} bytes do not make ${set.labels.length} images of ${set.shape.join('x')}`,
      { cure: 'check that images and labels belong together' },
    );
  const bad = set.labels.findIndex((label) => label < unlabelled || label >= where.classes);
  if (bad >= 0)
    throw new BulwarkError(
      'BATCH_INVALID',
      `${where.name}: label ${set.labels[bad]} of example ${bad} is outside [0, ${where.classes})`,
      { cure: `labels are integers from 0 to ${where.classes - 1}, or -1 for "no label"` },
    );
  return set;
}

/** Checks tensors that come from a user: images float32 in [0, 1], labels int32 in [0, classes). Throws BATCH_INVALID. */
export function checkBatch(batch: Batch, where: { name: string; shape: ImageShape; classes: number }): void {
  const fail = (what: string, cure: string): never => {
    throw new BulwarkError('BATCH_INVALID', `${where.name}: ${what}`, { cure });
  };
  const { images, labels } = batch;
  if (images.rank !== 4 || images.dtype !== 'float32' || images.shape.slice(1).join() !== where.shape.join())
    fail(
      `images are ${images.dtype} [${images.shape}]; expected float32 [batch, ${where.shape.join(', ')}]`,
      'pass NHWC images, pixel / 255',
    );
  if (labels.rank !== 1 || labels.shape[0] !== images.shape[0])
    fail(`labels have shape [${labels.shape}]; expected [${images.shape[0]}]`, 'pass one integer label per image');
  if (images.shape[0] === 0) fail('the batch is empty', 'pass at least one image');
  const [low, high] = tf.tidy(() => [tf.min(images).dataSync()[0]!, tf.max(images).dataSync()[0]!]);
  if (!(low >= 0 && high <= 1))
    fail(
      `pixel values range from ${low} to ${high}; allowed is [0, 1]`,
      'divide bytes by 255; normalise inside the model, not before it',
    );
  const bad = [...labels.dataSync()].find(
    (label) => label < unlabelled || label >= where.classes || !Number.isInteger(label),
  );
  if (bad !== undefined)
    fail(`label ${bad} is outside [0, ${where.classes})`, `labels are integers from 0 to ${where.classes - 1}`);
}

/** The examples at `indices` as tensors: images `[n, h, w, c]` float32 in [0, 1], labels `[n]` int32. */
export function takeExamples(set: ImageSet, indices: ArrayLike<number>): Batch {
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  const pixels = new Float32Array(indices.length * size);
  const labels = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]! * size;
    for (let j = 0; j < size; j++) pixels[i * size + j] = set.images[from + j]! / 255;
    labels[i] = set.labels[indices[i]!]!;
  }
  return { images: tf.tensor4d(pixels, [indices.length, ...set.shape]), labels: tf.tensor1d(labels, 'int32') };
}

/** A part of a set, by indices, without turning it into tensors. */
export function subset(set: ImageSet, indices: ArrayLike<number>): ImageSet {
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  const images = new Uint8Array(indices.length * size);
  const labels = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    images.set(set.images.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
    labels[i] = set.labels[indices[i]!]!;
  }
  return { images, labels, shape: set.shape };
}

/** Frees the tensors of a batch. */
export function disposeBatch(batch: Batch): void {
  tf.dispose([batch.images, batch.labels, ...(batch.targets ? [batch.targets] : [])]);
}
