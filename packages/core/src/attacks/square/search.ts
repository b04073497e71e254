import * as tf from '../../tensor/index.js';
import { logitsOf } from '../../classifier/index.js';
import type { AttackContext } from '../../hooks/index.js';
import { take } from '../gradient.js';
import { SurvivorPool } from '../survivors.js';
import { bumpProposals, linfProposals, type Example } from './proposal.js';
import { shareAt, sideAt } from './side.js';

export interface SquareOptions {
  readonly queries: number;
  /** First share of the pixels that a square covers. */
  readonly initialShare: number;
  /** What is lowered: the margin of the label's logit, or minus the cross-entropy. */
  readonly loss: 'margin' | 'ce';
  /** Stretch the schedule of sizes to the number of queries. */
  readonly rescale: boolean;
}

/** What a search found, per example of its batch. */
export interface SquareResult {
  /** Best points, `[batch, h, w, c]`; the caller disposes them. */
  readonly best: tf.Tensor4D;
  /** `z_y - max_{j != y} z_j` at the best point; at most 0 where it is misclassified. */
  readonly margins: Float64Array;
  readonly queries: Int32Array;
}

/** Margin of the label's logit and the loss to be lowered, of one row of logits. */
function judge(logits: Float32Array, label: number, loss: SquareOptions['loss']): { margin: number; loss: number } {
  let other = -Infinity;
  logits.forEach((z, j) => (other = j === label ? other : Math.max(other, z)));
  const margin = logits[label]! - other;
  if (loss === 'margin') return { margin, loss: margin };
  const top = Math.max(other, logits[label]!);
  const sum = logits.reduce((total, z) => total + Math.exp(z - top), 0);
  return { margin, loss: logits[label]! - top - Math.log(sum) };
}

/** Random search with squares on images that are classified correctly. */
export async function squareSearch(
  target: { images: tf.Tensor4D; labels: tf.Tensor1D },
  options: SquareOptions,
  context: AttackContext,
): Promise<SquareResult> {
  const { images, labels } = target;
  const [n, height, width, channels] = images.shape;
  const { threat, random, model } = context;
  const geometry = { height, width, channels, epsilon: threat.epsilon };
  const { norm } = threat;
  const proposals = norm.perPixel ? linfProposals(geometry) : bumpProposals(norm, geometry);
  const size = height * width * channels;
  const [pixels, classes] = await Promise.all([images.data(), labels.data()]);
  const examples: Example[] = Array.from({ length: n }, (_, e) => ({
    x: (pixels as Float32Array).slice(e * size, (e + 1) * size),
    best: new Float64Array(size),
  }));
  const upload = new Float32Array(n * size);
  const queried = async (points: readonly Float64Array[]): Promise<Float32Array> => {
    points.forEach((point, k) => upload.set(point, k * size));
    const shape: [number, number, number, number] = [points.length, height, width, channels];
    return take(tf.tidy(() => logitsOf(model, tf.tensor4d(upload.subarray(0, points.length * size), shape))));
  };
  const margins = new Float64Array(n);
  const losses = new Float64Array(n);
  const queries = new Int32Array(n).fill(1);
  const k = model.classes;
  const judged = (logits: Float32Array, row: number, e: number) =>
    judge(logits.subarray(row * k, (row + 1) * k), classes[e]!, options.loss);

  proposals.start(examples, random);
  const first = await queried(examples.map(({ best }) => best));
  examples.forEach(
    (_, e) => ({ margin: margins[e], loss: losses[e] } = judged(first, e, e) as { margin: number; loss: number }),
  );

  const candidates = examples.map(() => new Float64Array(size));
  for (let i = 0; i < options.queries; i++) {
    const alive = [...margins.keys()].filter((e) => margins[e]! > 0);
    if (alive.length === 0) break;
    const share = shareAt(i, { initial: options.initialShare, queries: options.queries, rescale: options.rescale });
    const side = sideAt(share, { height, width, smooth: !norm.perPixel });
    const into = candidates.slice(0, alive.length);
    proposals.propose(
      alive.map((e) => examples[e]!),
      side,
      { random, into },
    );
    const logits = await queried(into);
    alive.forEach((e, row) => {
      const { margin, loss } = judged(logits, row, e);
      const better = loss < losses[e]!;
      if (better) losses[e] = loss;
      if (better || margin <= 0) {
        margins[e] = margin;
        examples[e]!.best.set(into[row]!);
      }
      queries[e]!++;
    });
    context.progress?.((i + 1) / options.queries);
  }
  const found = new Float32Array(n * size);
  examples.forEach(({ best }, e) => found.set(best, e * size));
  return { best: tf.tensor4d(found, images.shape), margins, queries };
}

/**
 * Square attack on the examples that are classified correctly; those it does not break come back as they were.
 * @param target images `[batch, h, w, c]` float32 in [0, 1]; labels `[batch]` int32
 */
export async function square(
  target: { images: tf.Tensor4D; labels: tf.Tensor1D },
  options: SquareOptions,
  context: AttackContext,
): Promise<tf.Tensor4D> {
  const pool = await SurvivorPool.of(target, context);
  if (pool.survivors.length > 0) {
    const { images, labels, indices } = pool.batch();
    const { best, margins } = await squareSearch({ images, labels }, options, context);
    pool.settle(
      indices,
      [...margins].map((margin) => (margin > 0 ? 1 : 0)),
      best,
    );
    tf.dispose([images, labels, best]);
  }
  return pool.finish();
}
