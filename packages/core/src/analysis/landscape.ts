import * as tf from '../tensor/index.js';
import { countOf, type Batch, type ImageSet } from '../batch.js';
import type { Random } from '../random.js';
import { overPixels } from '../threat/index.js';
import { overBatches, type OverImages } from './batches.js';
import { letOthersRun } from '../event-loop.js';
import { lossAt, neighbour, type Search, type Side } from './neighbours.js';

/** Cross-entropy around images, over two directions. */
export interface LossSurface {
  /** Positions along both directions, in multiples of the perturbation that the search found. */
  readonly at: readonly number[];
  /** Mean cross-entropy (nats) over the images: `loss[row][column]` at `at[row]` across, `at[column]` along the search direction. */
  readonly loss: readonly (readonly number[])[];
}

export interface LandscapeOptions extends OverImages, Search {
  /** Which perturbation the first axis follows. */
  readonly side: Side;
  /** The surface reaches from minus to plus this many perturbations. */
  readonly radius: number;
  /** Positions per axis, odd, so that the image itself is one of them. */
  readonly resolution: number;
  /** For the random direction. */
  readonly random: Random;
}

const lengthOf = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x), overPixels, true));

/** A random direction orthogonal to `along` and of its L2 length, per example, `[batch, h, w, c]`. */
export function orthogonalTo(along: tf.Tensor4D, random: Random): tf.Tensor4D {
  return tf.tidy(() => {
    const noise = random.normal<tf.Rank.R4>(along.shape);
    const share = tf.div(
      tf.sum(tf.mul(noise, along), overPixels, true),
      tf.maximum(tf.sum(tf.square(along), overPixels, true), 1e-12),
    );
    const rest = tf.sub(noise, tf.mul(along, share));
    return tf.mul(rest, tf.div(lengthOf(along), lengthOf(rest))) as tf.Tensor4D;
  });
}

/** Summed loss of a batch at every position, row by row. */
async function batchSurface(batch: Batch, at: readonly number[], options: LandscapeOptions): Promise<number[][]> {
  const { model, side, random } = options;
  const { along, across } = tf.tidy(() => {
    const along = tf.sub(neighbour(batch, side, options), batch.images) as tf.Tensor4D;
    return { along, across: orthogonalTo(along, random) };
  });
  const rows: number[][] = [];
  for (const b of at) {
    const row = tf.tidy(() =>
      tf.stack(
        at.map((a) => {
          const point = tf.addN([batch.images, tf.mul(along, a), tf.mul(across, b)]) as tf.Tensor4D;
          return tf.sum(lossAt(model, point, batch.labels));
        }),
      ),
    );
    rows.push([...(await row.data())]);
    row.dispose();
    options.signal?.throwIfAborted();
    await letOthersRun();
  }
  tf.dispose([along, across]);
  return rows;
}

/**
 * Loss surface over the collaborative (or adversarial) perturbation and a random direction orthogonal to it of the same length, averaged
 * over images, each with directions of its own (Li et al., 2023, Figure 3; arXiv:2205.11156). Points are not clipped to [0, 1]: the
 * surface is the network's, not that of the images that a screen can show.
 */
export async function lossSurface(set: ImageSet, options: LandscapeOptions): Promise<LossSurface> {
  const { radius, resolution } = options;
  const at = Array.from({ length: resolution }, (_, i) => (2 * radius * i) / (resolution - 1) - radius);
  const sums = at.map(() => at.map(() => 0));
  await overBatches(set, options, async (batch) => {
    const rows = await batchSurface(batch, at, options);
    rows.forEach((row, r) => row.forEach((value, c) => (sums[r]![c]! += value)));
  });
  return { at, loss: sums.map((row) => row.map((sum) => sum / countOf(set))) };
}
