import * as tf from '../tensor/index.js';
import { imagesAt, type Batch, type ImageSet } from '../batch.js';
import { BulwarkError } from '../errors.js';
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

  const byImage = augmentations.every(({ drawsPerImage }) => drawsPerImage !== undefined);

  /** The images at `all.subarray(from, to)`, augmented by what a generator of this purpose gives. */
  const augmented = (all: Int32Array, { from, to }: { from: number; to: number }, purpose: string): RawBatch => {
    const indices = all.subarray(from, to);
    const bytes = imagesAt(set, indices);
    const pixels = new Float32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) pixels[i] = scale[bytes[i]!]!;
    const labels = indices.map((i) => set.labels[i]!);
    const random = createRandom(seed, purpose);
    const raw: RawBatch = { pixels, labels, indices, shape: set.shape, classes };
    return augmentations.reduce((batch, augmentation) => {
      const { drawsPerImage = 0 } = augmentation;
      skip(random, from * drawsPerImage);
      const changed = augmentation.apply(batch, random);
      skip(random, (all.length - to) * drawsPerImage);
      return changed;
    }, raw);
  };

  return {
    byImage,
    prepare(all, { epoch, step }, part = { from: 0, to: all.length }) {
      const purpose = `augmentation/${epoch}/${step}`;
      const view = (number: number) => {
        if (byImage) return augmented(all, part, `${purpose}/${number}`).pixels;
        throw new BulwarkError(
          'CONFIG_INVALID',
          'the objective asks for another view of each image, but an augmentation changes whole batches',
          { hint: 'leave out mixup, CutMix and others that mix images, or choose another objective' },
        );
      };
      return { ...augmented(all, part, purpose), indices: all.subarray(part.from, part.to), view };
    },
    toTensors: ({ pixels, labels, targets, indices, drawn, view, shape }) => ({
      images: tf.tensor4d(pixels, [labels.length, ...shape]),
      labels: tf.tensor1d(labels, 'int32'),
      ...(targets && { targets: tf.tensor2d(targets, [labels.length, classes]) }),
      ...(indices && { indices }),
      ...(drawn && { drawn }),
      ...(view && { view: (number) => tf.tensor4d(view(number), [labels.length, ...shape]) }),
    }),
  };
}
