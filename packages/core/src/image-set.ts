import { createHash, type Hash } from 'node:crypto';
import { BulwarkError } from './errors.js';

/** Height, width, channels of one image. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/** Images that are read one by one, from wherever they are, because together they do not fit into memory. */
export interface ImageReader {
  /** Number of images. */
  readonly count: number;
  /** Copies the bytes of image `index`, NHWC, to `target` from `at` on. */
  read(index: number, target: Uint8Array, at: number): void;
  /** Text that changes whenever an image does: stands in a run's fingerprint, where hashing all bytes would take minutes. */
  readonly identity: string;
}

/** A labelled set of images in bytes: pixel value / 255 is the float32 image in [0, 1]. */
export interface ImageSet {
  /** count * height * width * channels bytes, NHWC; or a reader. `imagesAt` reads both. */
  readonly images: Uint8Array | ImageReader;
  /** One label per image, in [0, classes), or -1 for "no label". */
  readonly labels: Int32Array;
  readonly shape: ImageShape;
}

/** A set whose bytes are in memory. */
export interface LoadedImageSet extends ImageSet {
  readonly images: Uint8Array;
}

/**
 * Is the whole set in memory?
 * @example
 * ```ts
 * isLoaded({ images: new Uint8Array(4), labels: Int32Array.of(0), shape: [2, 2, 1] }); // => true
 * const reader = {
 *   count: 1,
 *   identity: 'one image',
 *   read: (_: number, to: Uint8Array, at: number) => void to.fill(7, at, at + 4),
 * };
 * isLoaded({ images: reader, labels: Int32Array.of(0), shape: [2, 2, 1] }); // => false
 * ```
 * @category Images and batches
 */
export const isLoaded = (set: ImageSet): set is LoadedImageSet => set.images instanceof Uint8Array;

/**
 * No label: such an example takes part in consistency terms, not in classification terms.
 * @example
 * ```ts
 * const logits = tf.tensor2d([
 *   [1, 2],
 *   [1, 2],
 * ]);
 * crossEntropy(logits, tf.tensor1d([unlabelled, 1], 'int32')); // => [0, 0.313262]
 * ```
 * @category Images and batches
 */
export const unlabelled = -1;

/**
 * Number of images of a set.
 * @example
 * ```ts
 * countOf({ images: new Uint8Array(12), labels: Int32Array.of(0, 1, 1), shape: [2, 2, 1] }); // => 3
 * ```
 * @category Images and batches
 */
export const countOf = (set: ImageSet): number => set.labels.length;

/**
 * Bytes of one image.
 * @example
 * ```ts
 * imageSize({ shape: [32, 32, 3] }); // => 3072
 * ```
 * @category Images and batches
 */
export const imageSize = ({ shape }: Pick<ImageSet, 'shape'>): number => shape[0] * shape[1] * shape[2];

/**
 * The bytes of the images at `indices`, one after the other.
 * @example
 * ```ts
 * const set = {
 *   images: Uint8Array.of(10, 11, 20, 21, 30, 31),
 *   labels: Int32Array.of(0, 1, 0),
 *   shape: [1, 2, 1] as const,
 * };
 * imagesAt(set, [2, 0]); // => [30, 31, 10, 11]
 * ```
 * @category Images and batches
 */
export function imagesAt(set: ImageSet, indices: ArrayLike<number>): Uint8Array {
  const { images } = set;
  const size = imageSize(set);
  const bytes = new Uint8Array(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (images instanceof Uint8Array) bytes.set(images.subarray(index * size, (index + 1) * size), i * size);
    else images.read(index, bytes, i * size);
  }
  return bytes;
}

/**
 * The bytes of all images: for sets that are known to fit into memory.
 * @example
 * ```ts
 * const set = { images: Uint8Array.of(10, 11, 20, 21), labels: Int32Array.of(0, 1), shape: [1, 2, 1] as const };
 * allImages(set); // => [10, 11, 20, 21]
 * ```
 * @category Images and batches
 */
export const allImages = (set: ImageSet): Uint8Array =>
  set.images instanceof Uint8Array
    ? set.images
    : imagesAt(
        set,
        set.labels.map((_, i) => i),
      );

const labelsAt = ({ labels }: ImageSet, indices: ArrayLike<number>): Int32Array => {
  const taken = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) taken[i] = labels[indices[i]!]!;
  return taken;
};

/**
 * A part of a set, by indices, copied into memory.
 * @example
 * ```ts
 * const set = { images: Uint8Array.of(10, 11, 20, 21), labels: Int32Array.of(0, 1), shape: [1, 2, 1] as const };
 * const { images, labels } = subset(set, [1, 1]);
 * images; // => [20, 21, 20, 21]
 * labels; // => [1, 1]
 * ```
 * @category Images and batches
 */
export function subset(set: ImageSet, indices: ArrayLike<number>): LoadedImageSet {
  return { images: imagesAt(set, indices), labels: labelsAt(set, indices), shape: set.shape };
}

/**
 * The examples from `from` up to `to`, without copying.
 * @example
 * ```ts
 * const set = {
 *   images: Uint8Array.of(10, 11, 20, 21, 30, 31),
 *   labels: Int32Array.of(0, 1, 0),
 *   shape: [1, 2, 1] as const,
 * };
 * allImages(rangeOf(set, 1)); // => [20, 21, 30, 31]
 * rangeOf(set, 0, 2).labels; // => [0, 1]
 * ```
 * @category Images and batches
 */
export function rangeOf(set: ImageSet, from: number, to = countOf(set)): ImageSet {
  if (from === 0 && to >= countOf(set)) return set;
  const { images, shape } = set;
  const size = imageSize(set);
  const part =
    images instanceof Uint8Array
      ? images.subarray(from * size, to * size)
      : readerOf(images, {
          count: Math.min(to, images.count) - from,
          indexOf: (i) => from + i,
          identity: `${from}-${to}`,
        });
  return { images: part, labels: set.labels.subarray(from, to), shape };
}

/**
 * The examples at `indices`: copied into memory if the set is there, otherwise read when they are needed.
 * @example
 * ```ts
 * const set = {
 *   images: Uint8Array.of(10, 11, 20, 21, 30, 31),
 *   labels: Int32Array.of(0, 1, 0),
 *   shape: [1, 2, 1] as const,
 * };
 * const zeros = selected(set, Int32Array.of(0, 2)); // the images of class 0
 * allImages(zeros); // => [10, 11, 30, 31]
 * ```
 * @category Images and batches
 */
export function selected(set: ImageSet, indices: Int32Array): ImageSet {
  const { images, shape } = set;
  if (images instanceof Uint8Array) return subset(set, indices);
  const identity = createHash('sha256').update(indices).digest('hex').slice(0, 16);
  const reader = readerOf(images, { count: indices.length, indexOf: (i) => indices[i]!, identity });
  return { images: reader, labels: labelsAt(set, indices), shape };
}

function readerOf(
  images: ImageReader,
  view: { count: number; indexOf: (i: number) => number; identity: string },
): ImageReader {
  const { count, indexOf, identity } = view;
  return {
    count,
    identity: `${identity} ${images.identity}`,
    read: (index, target, at) => images.read(indexOf(index), target, at),
  };
}

/**
 * Sets of one shape, one after the other: in memory if all of them are.
 * @example
 * ```ts
 * const left = { images: Uint8Array.of(10, 11), labels: Int32Array.of(0), shape: [1, 2, 1] as const };
 * const right = { images: Uint8Array.of(20, 21), labels: Int32Array.of(unlabelled), shape: [1, 2, 1] as const };
 * concatenated([left, right]).labels; // => [0, -1]
 * ```
 * @category Images and batches
 */
export function concatenated(sets: readonly ImageSet[]): ImageSet {
  const [{ shape }] = sets as readonly [ImageSet];
  const labels = new Int32Array(sets.reduce((sum, set) => sum + countOf(set), 0));
  const starts: number[] = [];
  let start = 0;
  for (const set of sets) {
    labels.set(set.labels, start);
    starts.push(start);
    start += countOf(set);
  }
  if (sets.every(isLoaded)) {
    const images = new Uint8Array(labels.length * imageSize({ shape }));
    sets.forEach((set, i) => images.set(set.images, starts[i]! * imageSize({ shape })));
    return { images, labels, shape };
  }
  const readers = sets.map((set) => readerFor(set));
  return {
    images: {
      count: labels.length,
      identity: readers.map(({ identity }) => identity).join(' + '),
      read(index, target, at) {
        let i = starts.length - 1;
        while (starts[i]! > index) i--;
        readers[i]!.read(index - starts[i]!, target, at);
      },
    },
    labels,
    shape,
  };
}

/** The images of a set as a reader, wherever they are. */
function readerFor(set: ImageSet): ImageReader {
  const { images } = set;
  if (!(images instanceof Uint8Array)) return images;
  const size = imageSize(set);
  return {
    count: countOf(set),
    identity: createHash('sha256').update(images).digest('hex'),
    read: (index, target, at) => target.set(images.subarray(index * size, (index + 1) * size), at),
  };
}

/** Adds what tells these images from all others to a digest: their bytes, or a reader's identity. */
export function hashImages(hash: Hash, { images }: ImageSet): Hash {
  return hash.update(images instanceof Uint8Array ? images : images.identity);
}

/**
 * Checks an image set once, when a data source hands it over.
 * @example
 * ```ts
 * const set = { images: new Uint8Array(4), labels: Int32Array.of(0, 1), shape: [1, 2, 1] as const };
 * countOf(checkImageSet(set, { name: 'my-images: train', classes: 2 })); // => 2
 * checkImageSet(set, { name: 'my-images: train', classes: 1 }); // throws BATCH_INVALID
 * ```
 * @category Images and batches
 */
export function checkImageSet(set: ImageSet, where: { name: string; classes: number }): ImageSet {
  const { images, labels } = set;
  const fits =
    images instanceof Uint8Array ? images.length === imageSize(set) * labels.length : images.count === labels.length;
  if (!fits)
    throw new BulwarkError(
      'BATCH_INVALID',
      `${where.name}: ${images instanceof Uint8Array ? `${images.length} bytes` : `${images.count} images`} do not make ${labels.length} images of ${set.shape.join('x')}`,
      { hint: 'check that images and labels belong together' },
    );
  const bad = labels.findIndex((label) => label < unlabelled || label >= where.classes);
  if (bad >= 0)
    throw new BulwarkError(
      'BATCH_INVALID',
      `${where.name}: label ${labels[bad]} of example ${bad} is outside [0, ${where.classes})`,
      { hint: `labels are integers from 0 to ${where.classes - 1}, or -1 for "no label"` },
    );
  return set;
}
