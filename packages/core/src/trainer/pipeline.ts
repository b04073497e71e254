import * as tf from '@tensorflow/tfjs-core';
import type { Batch, ImageSet } from '../batch.js';
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
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  const scale = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

  return {
    prepare(indices, { epoch, step }) {
      const pixels = new Float32Array(indices.length * size);
      const labels = new Int32Array(indices.length);
      for (let i = 0, to = 0; i < indices.length; i++) {
        const from = indices[i]! * size;
        for (let j = 0; j < size; j++) pixels[to++] = scale[set.images[from + j]!]!;
        labels[i] = set.labels[indices[i]!]!;
      }
      const random = createRandom(seed, `augmentation/${epoch}/${step}`);
      const raw: RawBatch = { pixels, labels, shape: set.shape, classes };
      return augmentations.reduce((batch, augmentation) => augmentation.apply(batch, random), raw);
    },
    toTensors: ({ pixels, labels, targets, shape }) => ({
      images: tf.tensor4d(pixels, [labels.length, ...shape]),
      labels: tf.tensor1d(labels, 'int32'),
      ...(targets && { targets: tf.tensor2d(targets, [labels.length, classes]) }),
    }),
  };
}
