import * as tf from '../../tensor/index.js';
import { signOf } from '../../ops/index.js';
import { choose, column } from '../choose.js';
import { eachStep } from '../each-step.js';
import {
  evaluateAt,
  firstMemory,
  remember,
  resultOf,
  zeroGradients,
  type ApgdResult,
  type ApgdRun,
  type Memory,
} from './run.js';

/** Constants of the paper's section 3.3: first share of moved pixels, its reduction, and what counts as sparser. */
const firstShare = 0.2;
const shrink = 1.5;
const sparserThan = 0.95;
/** Smallest step size as a share of epsilon. */
const leastStep = 0.1;

/** A difference below this is no change: what rounding leaves behind. The official code counts exact non-zeros. */
const unchanged = 1e-9;

/** How many values of each image differ from it, `[batch, 1, 1, 1]`. */
const countChanged = (points: tf.Tensor4D, images: tf.Tensor4D): tf.Tensor4D =>
  tf.sum(tf.cast(tf.greater(tf.abs(tf.sub(points, images)), unchanged), 'float32'), [1, 2, 3], true);

/** A step of l1 length `stepSize` along the signs of the `share` largest gradient entries; both `[batch, 1, 1, 1]`. */
function sparseStep(
  gradient: tf.Tensor4D,
  { share, stepSize }: { share: tf.Tensor; stepSize: tf.Tensor },
): tf.Tensor4D {
  const [n, d] = [gradient.shape[0], gradient.size / gradient.shape[0]];
  const size = tf.abs(gradient);
  const ascending = tf.clipByValue(tf.floor(tf.mul(tf.sub(1, share), d)), 0, d - 1);
  // places in the rows laid end to end: gathering within rows goes out of bounds on wasm
  const first = tf.range(d - 1, n * d, d, 'int32');
  const places = tf.sub(first, tf.cast(tf.reshape(ascending, [n]), 'int32')) as tf.Tensor1D;
  const descending = tf.topk(tf.reshape(size, [n, d]), d).values;
  const least = column(tf.gather(tf.reshape(descending, [n * d]), places));
  const moving = tf.mul(signOf(gradient), tf.cast(tf.greaterEqual(size, least), 'float32'));
  const moved = tf.sum(tf.abs(moving), [1, 2, 3], true);
  return tf.mul(moving, tf.div(stepSize, tf.add(moved, 1e-10)));
}

/** Where a run is; one number per example is `[batch, 1, 1, 1]`. All on the engine. */
interface State extends Memory {
  readonly point: tf.Tensor4D;
  readonly gradient: tf.Tensor4D;
  readonly stepSize: tf.Tensor4D;
  /** Share of the values that a step moves. */
  readonly share: tf.Tensor4D;
  /** How many values differed at the last look back. */
  readonly support: tf.Tensor4D;
}

function firstState(run: ApgdRun): State {
  const { images, context, start, trace } = run;
  const { norm, epsilon } = context.threat;
  return tf.tidy(() => {
    // drawn even where a start is given, as in the official code
    const drawn = tf.add(images, context.random.normal<tf.Rank.R4>(images.shape));
    const point = start ? start.clone() : norm.project(drawn as tf.Tensor4D, { origin: images, epsilon });
    trace?.point?.(point, 0);
    const found = evaluateAt(run, point);
    const dimension = images.size / images.shape[0];
    const same = (value: number) => tf.fill(found.loss.shape, value) as tf.Tensor4D;
    const support = start ? countChanged(point, images) : same(dimension);
    return {
      ...firstMemory(point, found),
      ...{ point, gradient: found.gradient, support, stepSize: same(epsilon) },
      share: start ? (tf.div(tf.div(support, dimension), shrink) as tf.Tensor4D) : same(firstShare),
    };
  });
}

/** Where the best point has become sparser: full steps from there; elsewhere smaller steps. */
function lookBack({ images, context }: ApgdRun, state: State): State {
  const { epsilon } = context.threat;
  const support = countChanged(state.best, images);
  const sparser = tf.less(tf.div(support, state.support), sparserThan);
  const smaller = tf.maximum<tf.Tensor4D>(tf.div(state.stepSize, shrink), epsilon * leastStep);
  return {
    ...state,
    ...{ support, share: tf.div(tf.div(support, images.size / images.shape[0]), shrink) },
    stepSize: tf.where(sparser, tf.fill<tf.Rank.R4>(smaller.shape, epsilon), smaller),
    point: choose(sparser, state.best, state.point),
    gradient: choose(sparser, state.bestGradient, state.gradient),
  };
}

/** One run in the l1 ball (Croce and Hein, 2021, Algorithm 1; arXiv:2103.01208). Nothing is read before its end. */
export async function apgdL1(run: ApgdRun): Promise<ApgdResult> {
  const { iterations, trace, images, context } = run;
  const { norm, epsilon } = context.threat;
  const period = Math.max(Math.trunc(0.04 * iterations), 1);
  const first = firstState(run);
  const zero = zeroGradients(first.gradient);
  const state = await eachStep({ steps: iterations, progress: context.progress }, first, (before, step) => {
    const moved = tf.add(before.point, sparseStep(before.gradient, before)) as tf.Tensor4D;
    const point = norm.project(moved, { origin: images, epsilon });
    const found = evaluateAt(run, point);
    trace?.point?.(point, step + 1);
    const there: State = { ...before, ...remember(before, point, found), point, gradient: found.gradient };
    return (step + 1) % period === 0 ? lookBack(run, there) : there;
  });
  tf.dispose([state.point, state.gradient, state.stepSize, state.share, state.support]);
  const { best, bestGradient, bestLoss, robust, adversarial } = state;
  return resultOf({ best, bestGradient, bestLoss, robust, adversarial }, zero);
}
