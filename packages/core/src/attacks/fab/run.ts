import * as tf from '../../tensor/index.js';
import type { AttackContext } from '../../hooks/index.js';
import { norms } from '../../threat/index.js';
import { take } from '../gradient.js';
import { logitDifference } from '../logit-difference.js';
import { logitsOf } from '../../classifier/index.js';

/** One run of FAB on images that are classified correctly. */
export interface FabRun {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
  /** Class to reach per example; without it, the nearest linearised boundary. */
  readonly targets?: ArrayLike<number>;
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
  /** Sees the points before the backward step, for tests. */
  readonly trace?: (points: readonly Float64Array[], iteration: number) => void;
}

/** The nearest misclassified points that a run found. */
export interface FabResult {
  /** `[n, h, w, c]`; the image itself where none was found. The caller disposes it. */
  readonly points: tf.Tensor4D;
  /** Distance in the norm; Infinity where none was found. */
  readonly distances: Float64Array;
}

/**
 * A boundary nearer than float32 tells two logits apart: it is taken to be this far away. A point on it, where the logits are equal, would else
 * stay there for ever: no way to go, and not yet misclassified.
 */
const indistinct = 2e-6;

const inBox = (value: number): number => Math.min(Math.max(value, 0), 1);

/** The linearised boundary that is attacked next, per example: `z_k - z_y` and its gradient. */
interface Boundary {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** Linearises at the points: towards the targets, or towards the class whose boundary is nearest in the dual norm. */
async function boundaries(run: FabRun, points: tf.Tensor4D, labels: Int32Array): Promise<Boundary[]> {
  const { model, threat } = run.context;
  const n = labels.length;
  const dimension = points.size / n;
  const dual = norms[threat.norm.dual];
  const linearise = async (target: ArrayLike<number>): Promise<Boundary[]> => {
    const { value, gradient } = await logitDifference(model, points, { target, from: labels });
    return Array.from({ length: n }, (_, e) => ({
      value: value[e]!,
      gradient: Float64Array.from(gradient.subarray(e * dimension, (e + 1) * dimension)),
    }));
  };
  if (run.targets) return linearise(run.targets);
  const nearest: { boundary?: Boundary; distance: number }[] = Array.from({ length: n }, () => ({
    distance: Infinity,
  }));
  for (let k = 0; k < model.classes; k++)
    (await linearise(new Array<number>(n).fill(k))).forEach((boundary, e) => {
      if (labels[e] === k) return;
      const distance = Math.abs(boundary.value) / (dual.lengthOf(boundary.gradient) + 1e-12);
      if (distance < nearest[e]!.distance) nearest[e] = { boundary, distance };
    });
  return nearest.map(({ boundary }) => boundary!);
}

/** The step of Algorithm 1: biased average of the projections of point and image onto the boundary, overshot, in the box. */
function step(
  x: Float64Array,
  current: Float64Array,
  { boundary, run }: { boundary: Boundary; run: FabRun },
): Float64Array {
  const { alphaMax, eta, context } = run;
  const { norm } = context.threat;
  const w = boundary.gradient;
  let b = -(Math.abs(boundary.value) < indistinct ? -indistinct : boundary.value);
  for (let j = 0; j < w.length; j++) b += w[j]! * current[j]!;
  const fromCurrent = norm.hyperplane(current, { w, b });
  const fromImage = norm.hyperplane(x, { w, b });
  const [near, far] = [Math.max(norm.lengthOf(fromCurrent), 1e-8), Math.max(norm.lengthOf(fromImage), 1e-8)];
  const alpha = Math.min(near / (near + far), alphaMax);
  return current.map((value, j) =>
    inBox((1 - alpha) * (value + eta * fromCurrent[j]!) + alpha * (x[j]! + eta * fromImage[j]!)),
  );
}

async function startPoints(run: FabRun, images: readonly Float64Array[]): Promise<Float64Array[]> {
  if (!run.randomStart) return images.map((x) => x.slice());
  const { random, threat } = run.context;
  const values = await take(threat.norm.randomDirection(random, run.images.shape));
  return images.map((x, e) => {
    const t = values.subarray(e * x.length, (e + 1) * x.length);
    return x.map((value, j) => inBox(value + (threat.epsilon / 2) * t[j]!));
  });
}

const toTensor = (rows: readonly Float64Array[], shape: tf.Tensor4D['shape']): tf.Tensor4D => {
  const values = new Float32Array(shape.reduce((size, n) => size * n, 1));
  rows.forEach((row, e) => values.set(row, e * row.length));
  return tf.tensor4d(values, shape);
};

/** Fast adaptive boundary attack, one run (Croce and Hein, 2020, Algorithm 1; arXiv:1907.02044), without the optional final search. */
export async function fabRun(run: FabRun): Promise<FabResult> {
  const { images, context, iterations, beta, trace } = run;
  const { model, threat } = context;
  const n = images.shape[0];
  const dimension = images.size / n;
  const pixels = await images.data();
  const labels = Int32Array.from(await run.labels.data());
  const x = Array.from({ length: n }, (_, e) => Float64Array.from(pixels.subarray(e * dimension, (e + 1) * dimension)));
  const found: Float64Array[] = x.map((row) => row.slice());
  const distances = new Float64Array(n).fill(Infinity);
  let current = await startPoints(run, x);

  for (let i = 1; i <= iterations; i++) {
    const at = toTensor(current, images.shape);
    const planes = await boundaries(run, at, labels);
    at.dispose();
    current = current.map((point, e) => step(x[e]!, point, { boundary: planes[e]!, run }));
    trace?.(current, i);
    const stepped = toTensor(current, images.shape);
    const predictions = await take(tf.tidy(() => tf.argMax(logitsOf(model, stepped), 1)));
    stepped.dispose();
    current = current.map((point, e) => {
      if (predictions[e] === labels[e]) return point;
      const origin = x[e]!;
      const distance = threat.norm.lengthOf(point.map((value, j) => value - origin[j]!));
      if (distance < distances[e]!) {
        distances[e] = distance;
        found[e] = point;
      }
      return point.map((value, j) => origin[j]! + beta * (value - origin[j]!));
    });
    context.progress?.(i / iterations);
  }
  return { points: toTensor(found, images.shape), distances };
}
