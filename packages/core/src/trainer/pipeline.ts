import * as tf from '../tensor/index.js';
import { imagesAt, type Batch, type ImageSet } from '../batch.js';
import type { Augmentation, RawBatch } from '../hooks/index.js';
import { createRandom } from '../random.js';

/** Makes training batches: bytes to numbers, augmentation, tensors. */
export interface Pipeline {
  /** Everything up to the tensors; the part that can be made while the engine works. */
  prepare(indices: Int32Array, position: { epoch: number; step: number }): RawBatch;
  /** The batch as tensors, which are the caller's. */
  toTensors(raw: RawBatch): Batch;
}

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
    prepare(indices, { epoch, step }) {
      const bytes = imagesAt(set, indices);
      const pixels = new Float32Array(bytes.length);
      for (let i = 0; i < bytes.length; i++) pixels[i] = scale[bytes[i]!]!;
      const labels = indices.map((i) => set.labels[i]!);
      const random = createRandom(seed, `augmentation/${epoch}/${step}`);
      const raw: RawBatch = { pixels, labels, indices, shape: set.shape, classes };
      return { ...augmentations.reduce((batch, augmentation) => augmentation.apply(batch, random), raw), indices };
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
