import * as tf from './tensor/index.js';
import { BulwarkError } from './errors.js';
import { imagesAt, unlabelled, type ImageSet, type ImageShape } from './image-set.js';

export * from './image-set.js';

/** One batch as the training step sees it. */
export interface Batch {
  /** `[batch, height, width, channels]` float32 in [0, 1]. */
  readonly images: tf.Tensor4D;
  /** `[batch]` int32 in [0, classes); -1 means "no label" (RST without pseudo-labels). */
  readonly labels: tf.Tensor1D;
  /** `[batch, classes]` float32 rows that sum to 1, where an augmentation mixed labels (mixup, cutmix). */
  readonly targets?: tf.Tensor2D;
  /** Positions of the examples in the training set, for methods that remember something of each; not there outside of training. */
  readonly indices?: Int32Array;
  /** What augmentations drew for each example, in training. */
  readonly drawn?: Drawn;
  /**
   * Another view of each image, `[batch, height, width, channels]`, a new tensor: the augmentations of the run, drawn anew. The same number, from
   * 1, gives the same view for as long as the step lasts. In training only. Throws CONFIG_INVALID where an augmentation mixes images.
   */
  readonly view?: (number: number) => tf.Tensor4D;
}

/**
 * What augmentations drew, by their names (a second one of the same name is `<name>-2`) and the names of the draws; each array has an entry
 * per example: `drawn['horizontal-flip'].mirrored[i]`, `drawn.mixup.partner[i]`.
 */
export type Drawn = Readonly<Record<string, Readonly<Record<string, Int32Array | Float32Array>>>>;

/** The same of some examples of the batch, the end not included. */
export const drawnRows = (drawn: Drawn, from: number, to: number): Drawn =>
  Object.fromEntries(
    Object.entries(drawn).map(([name, draws]) => [
      name,
      Object.fromEntries(Object.entries(draws).map(([draw, values]) => [draw, values.slice(from, to)])),
    ]),
  );

/** Checks tensors that come from a user: images float32 in [0, 1], labels int32 in [0, classes). Throws BATCH_INVALID. */
export function checkBatch(batch: Batch, where: { name: string; shape: ImageShape; classes: number }): void {
  const fail = (what: string, hint: string): never => {
    throw new BulwarkError('BATCH_INVALID', `${where.name}: ${what}`, { hint });
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

/**
 * The examples at `indices` as tensors: images `[n, h, w, c]` float32 in [0, 1], labels `[n]` int32.
 * @example
 * ```ts
 * const set = {
 *   images: Uint8Array.of(0, 255, 51, 102),
 *   labels: Int32Array.of(3, 7),
 *   shape: [1, 2, 1] as const,
 * };
 * const batch = takeExamples(set, [1]);
 * batch.images; // => [[[[0.2], [0.4]]]]
 * batch.labels; // => [7]
 * disposeBatch(batch);
 * ```
 * @category Images and batches
 */
export function takeExamples(set: ImageSet, indices: ArrayLike<number>): Batch {
  const bytes = imagesAt(set, indices);
  const pixels = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) pixels[i] = bytes[i]! / 255;
  const labels = Int32Array.from(indices, (i) => set.labels[i]!);
  return { images: tf.tensor4d(pixels, [indices.length, ...set.shape]), labels: tf.tensor1d(labels, 'int32') };
}

/**
 * Frees the tensors of a batch.
 * @example
 * ```ts
 * const set = { images: new Uint8Array(4), labels: Int32Array.of(0), shape: [2, 2, 1] as const };
 * const before = tf.memory().numTensors;
 * disposeBatch(takeExamples(set, [0]));
 * tf.memory().numTensors - before; // => 0
 * ```
 * @category Images and batches
 */
export function disposeBatch(batch: Batch): void {
  tf.dispose([batch.images, batch.labels, ...(batch.targets ? [batch.targets] : [])]);
}
