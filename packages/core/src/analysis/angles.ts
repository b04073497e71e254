import * as tf from '../tensor/index.js';
import { countOf, type Batch, type ImageSet } from '../batch.js';
import type { CraftContext, InnerOptimizer } from '../hooks/index.js';
import type { Random } from '../random.js';
import { overPixels } from '../threat/index.js';
import { overBatches, type OverImages } from './batches.js';
import { neighbour, type Search } from './neighbours.js';

/** Angles between the adversarial and the collaborative perturbation after one step of the inner loop. */
export interface StepAngles {
  /** Steps made, from 1. */
  readonly step: number;
  /** Degrees in [0, 180], one per image; NaN where a perturbation is 0. */
  readonly degrees: Float32Array;
}

/** `interior`: only pixels at least epsilon away from 0 and 1, which the pixel range does not hold back. */
export type AnglePixels = 'all' | 'interior';

/**
 * Angle per example between two perturbations of the same images, `[batch]` float32 in degrees; NaN where one of them is 0.
 * @param a `[batch, h, w, c]` float32
 * @param b `[batch, h, w, c]` float32
 * @param mask `[batch, h, w, c]` float32 of 0 and 1: pixels that count
 */
export function angleBetween(a: tf.Tensor4D, b: tf.Tensor4D, mask?: tf.Tensor4D): tf.Tensor1D {
  return tf.tidy(() => {
    const [left, right] = mask ? [tf.mul(a, mask), tf.mul(b, mask)] : [a, b];
    const dot = (x: tf.Tensor, y: tf.Tensor) => tf.sum(tf.mul(x, y), overPixels);
    // each length by itself: the product of the squares underflows for perturbations of a thousandth
    const lengths = tf.mul(tf.sqrt(dot(left, left)), tf.sqrt(dot(right, right)));
    const cosine = tf.clipByValue(tf.div(dot(left, right), lengths), -1, 1);
    const degrees = tf.mul(tf.acos(cosine), 180 / Math.PI);
    return tf.where(tf.greater(lengths, 0), degrees, tf.fill(lengths.shape, NaN)) as tf.Tensor1D;
  });
}

/** Two points of one step; the caller disposes them. */
interface Pair {
  adversarial?: tf.Tensor4D;
  collaborative?: tf.Tensor4D;
}

/** Makes the pairs of a batch, by step: index 0 is where the loop starts. */
type PairMaker = (batch: Batch, from: number) => Pair[];

/** A pair of two separate searches on cross-entropy, one up, one down. */
export const searchPairs =
  (search: Search): PairMaker =>
  (batch) => {
    const pairs: Pair[] = [];
    for (const side of ['adversarial', 'collaborative'] as const)
      neighbour(batch, side, search, (point, step) => {
        (pairs[step] ??= {})[side] = tf.keep(point.clone());
      }).dispose();
    return pairs;
  };

/** The pair of an inner optimizer that makes both points together, such as `squeeze` (Li et al., 2023, Algorithm 1). */
export const craftedPairs =
  (
    inner: InnerOptimizer,
    context: Omit<CraftContext, 'observe' | 'random'>,
    random: (from: number) => Random,
  ): PairMaker =>
  (batch, from) => {
    const pairs: Pair[] = [];
    const both = (points: Readonly<Record<string, tf.Tensor4D>>): Pair => ({
      adversarial: tf.keep(points['adversarial']!.clone()),
      collaborative: tf.keep(points['collaborative']!.clone()),
    });
    const crafted = inner.craft(batch, {
      ...context,
      random: random(from),
      observe: ({ step, points }) => void (pairs[step] = both(points)),
    });
    pairs.push(both(crafted.points));
    tf.dispose([crafted.points, crafted.facts ?? {}] as unknown as tf.TensorContainer);
    return pairs;
  };

/**
 * Distribution over images of the angle between adversarial and collaborative perturbation, after each step (Li et al., 2023, Figure 7;
 * arXiv:2205.11156). After one step from a common start the two are opposite but for start noise and the pixel range.
 */
export async function perturbationAngles(
  set: ImageSet,
  options: OverImages & { pairs: PairMaker; pixels: AnglePixels; epsilon: number },
): Promise<StepAngles[]> {
  const { pairs: makePairs, pixels, epsilon } = options;
  const count = countOf(set);
  const found: Float32Array[] = [];
  await overBatches(set, options, async (batch, from) => {
    const pairs = makePairs(batch, from);
    const { images } = batch;
    const interior = tf.tidy(() =>
      tf.cast(tf.logicalAnd(tf.greaterEqual(images, epsilon), tf.lessEqual(images, 1 - epsilon)), 'float32'),
    ) as tf.Tensor4D;
    for (const [step, { adversarial, collaborative }] of pairs.entries()) {
      if (step > 0) {
        const angles = tf.tidy(() =>
          angleBetween(
            tf.sub(adversarial!, images) as tf.Tensor4D,
            tf.sub(collaborative!, images) as tf.Tensor4D,
            pixels === 'interior' ? interior : undefined,
          ),
        );
        (found[step - 1] ??= new Float32Array(count)).set(await angles.data(), from);
        angles.dispose();
      }
      tf.dispose([adversarial!, collaborative!]);
    }
    interior.dispose();
  });
  return found.map((degrees, i) => ({ step: i + 1, degrees }));
}
