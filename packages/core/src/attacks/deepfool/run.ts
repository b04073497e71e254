import * as tf from '../../tensor/index.js';
import { logitsOf, type Classifier } from '../../classifier/index.js';
import { norms, type Norm } from '../../threat/index.js';
import { take } from '../gradient.js';
import { logitDifference } from '../logit-difference.js';

/**
 * Which code is followed. `foolbox`: from the label, clipped to [0, 1] after every step; examples that are wrong already stay.
 * `lts4`: the authors' code, from the predicted class, without the pixel range; the perturbation is rounded to float32.
 * `torchattacks`: each step starts from the last point, overshot and clipped by itself, exactly to the linearised boundary.
 */
export const deepFoolVariants = ['foolbox', 'lts4', 'torchattacks'] as const;
export type DeepFoolVariant = (typeof deepFoolVariants)[number];

export interface DeepFoolRun {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
  readonly model: Classifier;
  readonly variant: DeepFoolVariant;
  /** Norm in which the nearest boundary is sought. */
  readonly norm: Norm;
  readonly iterations: number;
  readonly overshoot: number;
  /** How many of the largest clean logits are considered, the own class among them. */
  readonly candidates: number;
  readonly progress?: (share: number) => void;
}

/** Keeps a step from ending on the boundary exactly. */
const beyond: Readonly<Record<DeepFoolVariant, number>> = { foolbox: 1e-4, lts4: 1e-4, torchattacks: 0 };

const inPixelRange = (value: number) => Math.min(Math.max(value, 0), 1);

/** An example that has not crossed a boundary yet. */
interface Walker {
  readonly position: number;
  readonly x: Float32Array;
  readonly total: Float64Array;
  /** Classes by clean logit, the largest first. */
  readonly ranking: ArrayLike<number>;
  point: Float64Array;
  steps: number;
}

/** Distance to a linearised boundary and the way there. */
function pathTo(
  value: number,
  w: Float32Array,
  { norm, variant }: DeepFoolRun,
): { distance: number; direction: Float64Array } {
  const guard = variant === 'foolbox' ? 1e-8 : 0;
  const length = norms[norm.dual].lengthOf(w) + guard;
  const direction = Float64Array.from(w, norm.perPixel ? Math.sign : (g) => g / length);
  return { distance: Math.abs(value) / length, direction };
}

/** One step of all walkers towards their nearest linearised boundaries. */
async function stepAll(walkers: readonly Walker[], run: DeepFoolRun, at: tf.Tensor4D): Promise<void> {
  const nearest: { distance: number; direction: Float64Array }[] = walkers.map(() => ({
    distance: Infinity,
    direction: new Float64Array(0),
  }));
  const own = walkers.map(({ ranking }) => ranking[0]!);
  const size = walkers[0]!.x.length;
  for (let rank = 1; rank < walkers[0]!.ranking.length; rank++) {
    const target = walkers.map(({ ranking }) => ranking[rank]!);
    const { value, gradient } = await logitDifference(run.model, at, { target, from: own });
    walkers.forEach((_, k) => {
      const path = pathTo(value[k]!, gradient.subarray(k * size, (k + 1) * size), run);
      if (path.distance < nearest[k]!.distance) nearest[k] = path;
    });
  }
  walkers.forEach((walker, k) => {
    const { distance, direction } = nearest[k]!;
    const step = direction.map((d) => (distance + beyond[run.variant]) * d);
    walker.steps++;
    if (run.variant === 'torchattacks') {
      walker.point = walker.point.map((value, j) => inPixelRange(value + (1 + run.overshoot) * step[j]!));
      return;
    }
    step.forEach((d, j) => (walker.total[j]! += d));
    if (run.variant === 'lts4') walker.total.forEach((value, j) => (walker.total[j] = Math.fround(value)));
    walker.point = walker.total.map((moved, j) => {
      const value = walker.x[j]! + (1 + run.overshoot) * moved;
      return run.variant === 'foolbox' ? inPixelRange(value) : value;
    });
  });
}

/** Points just across the nearest boundary, `[batch, h, w, c]`, which the caller disposes, and the number of steps of each example. */
export async function deepFool(run: DeepFoolRun): Promise<{ points: tf.Tensor4D; steps: number[] }> {
  const { images, model, variant, iterations } = run;
  const n = images.shape[0];
  const pixels = (await images.data()) as Float32Array;
  const labels = await run.labels.data();
  const size = pixels.length / n;
  const count = Math.min(run.candidates, model.classes);
  const ranking = await take(tf.tidy(() => tf.topk(logitsOf(model, images), count).indices));
  const all: Walker[] = Array.from({ length: n }, (_, e) => {
    const x = pixels.subarray(e * size, (e + 1) * size);
    const rank = ranking.subarray(e * count, (e + 1) * count);
    return { position: e, x, point: Float64Array.from(x), total: new Float64Array(size), ranking: rank, steps: 0 };
  });
  const tensorOf = (walkers: readonly Walker[]) => {
    const values = new Float32Array(walkers.length * size);
    walkers.forEach(({ point }, k) => values.set(point, k * size));
    return tf.tensor4d(values, [walkers.length, ...images.shape.slice(1)] as [number, number, number, number]);
  };
  let walking = all;
  for (let i = 0; i < iterations && walking.length > 0; i++) {
    const at = tensorOf(walking);
    const predicted = await take(tf.tidy(() => tf.argMax(logitsOf(model, at), 1)));
    const stays = (walker: Walker, k: number) =>
      predicted[k] === (variant === 'lts4' ? walker.ranking[0] : labels[walker.position]);
    const keep = walking.flatMap((walker, k) => (stays(walker, k) ? [k] : []));
    walking = keep.map((k) => walking[k]!);
    if (keep.length > 0) {
      const points = tf.tidy(() => tf.gather(at, tf.tensor1d(keep, 'int32')));
      await stepAll(walking, run, points);
      points.dispose();
    }
    at.dispose();
    run.progress?.((i + 1) / iterations);
  }
  return { points: tensorOf(all), steps: all.map(({ steps }) => steps) };
}
