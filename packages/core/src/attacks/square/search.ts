import * as tf from '../../tensor/index.js';
import { logitsOf, type Classifier } from '../../classifier/index.js';
import type { AttackContext } from '../../hooks/index.js';
import { crossEntropy, oneHotLabels } from '../../loss/index.js';
import { gatherExamples, take } from '../gradient.js';
import { SurvivorPool } from '../survivors.js';
import { bumpProposals, linfProposals, type At, type Proposals } from './proposal.js';
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
  readonly margins: Float32Array;
  readonly queries: Int32Array;
}

/** The examples that are still searched: what is of their size stays on the engine. */
interface Searched extends At {
  /** One row of 0 and 1 each, `[n, classes]`. */
  readonly own: tf.Tensor2D;
  /** Positions in the batch. */
  readonly positions: readonly number[];
}

const free = ({ images, best, own, around }: Searched): void => tf.dispose([images, best, own, ...around]);

/** Takes the true class out of a maximum without making infinities. */
const outOfTheWay = 1e9;

/** Asks the model: margin of the label's logit, and the loss to be lowered, per example. Reads them, and nothing else. */
async function ask(
  at: Searched,
  candidates: tf.Tensor4D,
  { model, loss, points }: { model: Classifier; loss: SquareOptions['loss'] } & Pick<Proposals, 'points'>,
): Promise<{ margins: Float32Array; losses: Float32Array }> {
  const found = await take(
    tf.tidy(() => {
      const logits = logitsOf(model, points(candidates, at.images));
      const others = tf.max(tf.sub(logits, tf.mul(at.own, outOfTheWay)), 1);
      const margins = tf.sub(tf.sum(tf.mul(logits, at.own), 1), others) as tf.Tensor1D;
      return loss === 'margin' ? margins : tf.concat([margins, tf.neg(crossEntropy(logits, at.own))]);
    }),
  );
  const n = at.positions.length;
  return { margins: found.slice(0, n), losses: found.slice(-n) };
}

/** Candidates in place of the best where they were taken. */
function withTaken(at: Searched, candidates: tf.Tensor4D, taken: readonly boolean[]): Searched {
  if (!taken.includes(true)) return at;
  const order = taken.map((flag, k) => (flag ? taken.length + k : k));
  const best = tf.tidy(() => gatherExamples(tf.concat([at.best, candidates]), order));
  at.best.dispose();
  return { ...at, best };
}

/** Those at these places alone. */
function narrowed(at: Searched, places: readonly number[], { around }: Proposals): Searched {
  const [images, best, own] = [at.images, at.best, at.own].map((values: tf.Tensor) => gatherExamples(values, places));
  const positions = places.map((k) => at.positions[k]!);
  const kept = images as tf.Tensor4D;
  return { images: kept, best: best as tf.Tensor4D, own: own as tf.Tensor2D, around: around(kept), positions };
}

/**
 * Random search with squares on images that are classified correctly. Images stay on the engine; each query reads one number per image, since who
 * is broken leaves at once, as in the official code (two with the cross-entropy).
 */
export async function squareSearch(
  target: { images: tf.Tensor4D; labels: tf.Tensor1D },
  options: SquareOptions,
  context: AttackContext,
): Promise<SquareResult> {
  const { images, labels } = target;
  const [n, height, width, channels] = images.shape;
  const { threat, random, model } = context;
  const { norm } = threat;
  const geometry = { height, width, channels, epsilon: threat.epsilon };
  const proposals = norm.perPixel ? linfProposals(geometry) : bumpProposals(norm, geometry);
  const asked = { model, loss: options.loss, points: proposals.points };
  const [margins, losses] = [new Float32Array(n).fill(Infinity), new Float32Array(n).fill(Infinity)];
  const queries = new Int32Array(n);
  const settled: { positions: readonly number[]; points: tf.Tensor4D }[] = [];
  const settle = (at: Searched) => {
    settled.push({ positions: at.positions, points: proposals.points(at.best, at.images) });
    free(at);
  };

  let at: Searched = {
    ...{ images: images.clone(), best: images.clone(), around: proposals.around(images) },
    ...{ own: oneHotLabels(labels, model.classes), positions: [...margins.keys()] },
  };
  for (let i = -1; i < options.queries; i++) {
    const share = shareAt(i, { initial: options.initialShare, queries: options.queries, rescale: options.rescale });
    const side = sideAt(share, { height, width, smooth: !norm.perPixel });
    const candidates = i < 0 ? proposals.start(images, random) : proposals.propose(at, side, random);
    const found = await ask(at, candidates, asked);
    const taken = at.positions.map((position, k) => {
      const better = found.losses[k]! < losses[position]!;
      if (better) losses[position] = found.losses[k]!;
      if (better || found.margins[k]! <= 0) margins[position] = found.margins[k]!;
      queries[position]!++;
      return better || found.margins[k]! <= 0;
    });
    at = withTaken(at, candidates, i < 0 ? taken.map(() => true) : taken);
    candidates.dispose();
    const [left, gone] = [[] as number[], [] as number[]];
    at.positions.forEach((position, k) => (margins[position]! > 0 ? left : gone).push(k));
    if (left.length === 0) break;
    if (gone.length > 0) {
      settle(narrowed(at, gone, proposals));
      const before = at;
      at = narrowed(before, left, proposals);
      free(before);
    }
    context.progress?.((i + 1) / options.queries);
  }
  settle(at);
  const order = new Int32Array(n);
  settled.flatMap(({ positions }) => positions).forEach((position, k) => (order[position] = k));
  const best = tf.tidy(() => gatherExamples(tf.concat(settled.map(({ points }) => points)), [...order]));
  tf.dispose(settled.map(({ points }) => points));
  return { best, margins, queries };
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
