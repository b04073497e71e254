import * as tf from '../../tensor/index.js';
import type { AttackContext } from '../../hooks/index.js';
import { clipToPixelRange, type Norm } from '../../threat/index.js';
import { logitsOf } from '../../classifier/index.js';
import { choose, column } from '../choose.js';
import { eachStep } from '../each-step.js';
import { nearestBoundary, type Boundary } from './boundary.js';

/** One run of FAB on images that are classified correctly. */
export interface FabRun {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
  /** Class to reach per example, `[batch]` int32; without it, the nearest linearised boundary. */
  readonly targets?: tf.Tensor1D | undefined;
  readonly context: AttackContext;
  readonly iterations: number;
  /** Largest share of the step towards the image. */
  readonly alphaMax: number;
  /** Overshoot. */
  readonly eta: number;
  /** Where the backward step ends, between image (0) and point (1). */
  readonly beta: number;
  /** Begin at a random point of the ball of half the radius instead of the image. */
  readonly randomStart: boolean;
  /** Sees the points before the backward step, for tests; they live only as long as the call. */
  readonly trace?: (points: tf.Tensor4D, iteration: number) => void;
}

/** The nearest misclassified points that a run found. */
export interface FabResult {
  /** `[n, h, w, c]`; the image itself where none was found. The caller disposes it. */
  readonly points: tf.Tensor4D;
  /** Distance in the norm; Infinity where none was found. */
  readonly distances: Float32Array;
}

/** Farther than any distance, and finite: nothing was found. */
const nowhere = 1e30;

const lengths = (x: tf.Tensor4D, norm: Norm): tf.Tensor4D => column(norm.measure(x));

/** The step of Algorithm 1: biased average of the projections of point and image onto the boundary, overshot, in the box. */
function step(run: FabRun, current: tf.Tensor4D, { value, gradient: w }: Boundary): tf.Tensor4D {
  const { images, alphaMax, eta } = run;
  const { norm } = run.context.threat;
  const seenFromImage = tf.add(value, tf.sum(tf.mul(w, tf.sub(images, current)), [1, 2, 3], true)) as tf.Tensor4D;
  const fromCurrent = norm.hyperplane(current, { w, gap: value });
  const fromImage = norm.hyperplane(images, { w, gap: seenFromImage });
  const near = tf.maximum(lengths(fromCurrent, norm), 1e-8);
  const far = tf.maximum(lengths(fromImage, norm), 1e-8);
  const alpha = tf.minimum(tf.div(near, tf.add(near, far)), alphaMax);
  const [a, b] = [tf.add(current, tf.mul(fromCurrent, eta)), tf.add(images, tf.mul(fromImage, eta))];
  return clipToPixelRange(tf.add(tf.mul(a, tf.sub(1, alpha)), tf.mul(b, alpha)));
}

function startPoints({ randomStart, images, context }: FabRun): tf.Tensor4D {
  if (!randomStart) return images.clone();
  const { random, threat } = context;
  return tf.tidy(() => {
    const direction = threat.norm.randomDirection(random, images.shape);
    return clipToPixelRange(tf.add(images, tf.mul(direction, threat.epsilon / 2)));
  });
}

interface State {
  readonly current: tf.Tensor4D;
  readonly found: tf.Tensor4D;
  /** `[n, 1, 1, 1]`. */
  readonly distances: tf.Tensor4D;
}

/** One step to the boundary and, where it was crossed, back towards the image. */
function next(run: FabRun, before: State, iteration: number): State {
  const { images, labels, beta, context } = run;
  const point = step(run, before.current, nearestBoundary(run, before.current));
  run.trace?.(point, iteration);
  const crossed = tf.notEqual(tf.argMax(logitsOf(context.model, point), 1), labels);
  const away = tf.sub(point, images) as tf.Tensor4D;
  const length = lengths(away, context.threat.norm);
  const nearer = tf.logicalAnd(column(crossed), tf.less(length, before.distances));
  return {
    current: choose(crossed, tf.add(images, tf.mul(away, beta)), point),
    found: choose(nearer, point, before.found),
    distances: tf.where(nearer, length, before.distances),
  };
}

/**
 * Fast adaptive boundary attack, one run (Croce and Hein, 2020, Algorithm 1; arXiv:1907.02044), without the optional final search. All on the
 * engine; the distances are read when it is done.
 */
export async function fabRun(run: FabRun): Promise<FabResult> {
  const { images, context, iterations } = run;
  const first: State = {
    current: startPoints(run),
    found: images.clone(),
    distances: tf.fill([images.shape[0], 1, 1, 1], nowhere) as tf.Tensor4D,
  };
  const state = await eachStep({ steps: iterations, progress: context.progress }, first, (before, i) =>
    next(run, before, i + 1),
  );
  const distances = Float32Array.from(await state.distances.data(), (value) => (value < nowhere ? value : Infinity));
  tf.dispose([state.current, state.distances]);
  return { points: state.found, distances };
}
