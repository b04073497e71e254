import type { Batch, Drawn, ImageSet, ImageShape } from '../batch.js';
import type { Random } from '../random.js';

/** How an epoch is cut into batches: a pure function of the generator's state, so that an epoch can be replayed. */
export interface Sampler {
  readonly batchesPerEpoch: number;
  /** Indices into the training set, one array per batch. */
  epoch(random: Random): readonly Int32Array[];
}

/** Images of the test set that have something in common, at a level of it: a corruption and its severity. */
export interface TestGroup {
  readonly name: string;
  /** From 1, the mildest. */
  readonly level: number;
  /** Positions in the test set, the end not included. */
  readonly from: number;
  readonly to: number;
}

/** Hook: where do (x, y) come from, in which mixture? */
export interface DataSource {
  readonly name: string;
  readonly shape: ImageShape;
  readonly classNames: readonly string[];
  readonly train: ImageSet;
  /** Held out from training, for choosing checkpoints. */
  readonly validation?: ImageSet;
  /** For the final evaluation only. */
  readonly test: ImageSet;
  /** What the test set consists of, where its parts are to be told apart (`bulwark evaluate --corruptions`). */
  readonly groups?: readonly TestGroup[];
  /** Default: a new permutation every epoch, cut into batches, the last short batch kept. */
  readonly sampler?: (options: { batchSize: number }) => Sampler;
  /** What to say about the data in a report or model card: origin, licence, selection. */
  readonly notes?: readonly string[];
}

/**
 * A random change of a training batch held as numbers: `pixels` float32 NHWC in [0, 1], changed in place or replaced. Draws from
 * `random` in a documented order, the same on every engine.
 */
export interface Augmentation {
  /**
   * How many numbers it draws for each image, in their order, if it changes each image by itself, and no labels: then one of several
   * processes prepares only its own images. Absent: it sees whole batches. Numbers are those of `next` and `integer`.
   */
  readonly drawsPerImage?: number;
  /** The changed batch. */
  apply(batch: RawBatch, random: Random): RawBatch;
}

/** A batch before it becomes tensors. */
export interface RawBatch {
  readonly pixels: Float32Array;
  readonly labels: Int32Array;
  /** `[batch, classes]` target rows where labels were mixed. */
  readonly targets?: Float32Array;
  /** Positions of the examples in the training set; an augmentation may leave them out of what it returns. */
  readonly indices?: Int32Array;
  /** What augmentations before this one drew; `withDrawn` adds to it. */
  readonly drawn?: Drawn;
  /** Pixels of another view of the same images; set by whoever prepares the batch, not by augmentations. */
  readonly view?: (number: number) => Float32Array;
  readonly shape: ImageShape;
  readonly classes: number;
}

/**
 * The batch with a note of what an augmentation drew for each example, which attacks and losses find in `batch.drawn`.
 * @param name of the augmentation
 * @param draws by name, one entry per example
 * @category Images and batches
 */
export function withDrawn(batch: RawBatch, name: string, draws: Drawn[string]): RawBatch {
  const { drawn = {} } = batch;
  let key = name;
  for (let n = 2; key in drawn; n++) key = `${name}-${n}`;
  return { ...batch, drawn: { ...drawn, [key]: draws } };
}

export type { Batch };

/**
 * A new permutation every epoch, cut into batches of `batchSize`; the last, short one is kept unless `dropLast`.
 * @example
 * ```ts
 * const sampler = permutationSampler(5, { batchSize: 2 });
 * const batches = [...sampler.epoch(createRandom(1, 'shuffling/0'))];
 * batches.map((batch) => batch.length); // => [2, 2, 1]
 * [...batches.flatMap((batch) => [...batch])].sort(); // => [0, 1, 2, 3, 4]
 * ```
 * @category Images and batches
 */
export function permutationSampler(count: number, options: { batchSize: number; dropLast?: boolean }): Sampler {
  const { batchSize, dropLast = false } = options;
  const batchesPerEpoch = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  return {
    batchesPerEpoch,
    epoch(random) {
      const order = random.permutation(count);
      return Array.from({ length: batchesPerEpoch }, (_, i) => order.slice(i * batchSize, (i + 1) * batchSize));
    },
  };
}
