import * as tf from '../tensor/index.js';
import { imagesAt, type Batch, type ImageSet } from '../batch.js';
import type { Augmentation, RawBatch } from '../hooks/index.js';
import { createRandom, type Random } from '../random.js';

/** Makes training batches: bytes to numbers, augmentation, tensors. */
export interface Pipeline {
  /** Whether all augmentations change each image by itself, so that a part of a batch can be prepared alone. */
  readonly byImage: boolean;
  /**
   * Everything up to the tensors; the part that can be made while the engine works.
   * @param part prepares only these examples of the batch, as they are in the whole; where it goes by images
   */
  prepare(
    indices: Int32Array,
    position: { epoch: number; step: number },
    part?: { readonly from: number; readonly to: number },
  ): RawBatch;
  /** The batch as tensors, which are the caller's. */
  toTensors(raw: RawBatch): Batch;
}

const skip = (random: Random, draws: number) => {
  for (let i = 0; i < draws; i++) random.next();
};

/** Prepares the batches of a run. */
export function createPipeline(options: {
  set: ImageSet;
  classes: number;
  augmentations: readonly Augmentation[];
  seed: number;
}): Pipeline {
  const { set, classes, augmentations, seed } = options;
  const scale = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

  return {
    byImage: augmentations.every(({ drawsPerImage }) => drawsPerImage !== undefined),
    prepare(all, { epoch, step }, { from, to } = { from: 0, to: all.length }) {
      const indices = all.subarray(from, to);
      const bytes = imagesAt(set, indices);
      const pixels = new Float32Array(bytes.length);
      for (let i = 0; i < bytes.length; i++) pixels[i] = scale[bytes[i]!]!;
      const labels = indices.map((i) => set.labels[i]!);
      const random = createRandom(seed, `augmentation/${epoch}/${step}`);
      const raw: RawBatch = { pixels, labels, indices, shape: set.shape, classes };
      const augmented = augmentations.reduce((batch, augmentation) => {
        const { drawsPerImage = 0 } = augmentation;
        skip(random, from * drawsPerImage);
        const changed = augmentation.apply(batch, random);
        skip(random, (all.length - to) * drawsPerImage);
        return changed;
      }, raw);
      return { ...augmented, indices };
    },
    toTensors: ({ pixels, labels, targets, indices, drawn, shape }) => ({
      images: tf.tensor4d(pixels, [labels.length, ...shape]),
      labels: tf.tensor1d(labels, 'int32'),
      ...(targets && { targets: tf.tensor2d(targets, [labels.length, classes]) }),
      ...(indices && { indices }),
      ...(drawn && { drawn }),
    }),
  };
}
