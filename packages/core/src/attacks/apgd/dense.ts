import * as tf from '../../tensor/index.js';
import { choose } from '../judge.js';
import { perExample } from '../gradient.js';
import { checkpoints } from './schedule.js';
import { evaluateAt, zeroGradients, type ApgdResult, type ApgdRun } from './run.js';

/** Weight of the gradient step against the momentum after the first iteration. */
const stepWeight = 0.75;

/** A random direction whose length (in the norm) is epsilon, from the image, cut to the pixel range. */
export function apgdStart({ images, context: { threat, random } }: ApgdRun): tf.Tensor4D {
  return tf.tidy(() => {
    const noise = tf.mul(threat.norm.randomDirection(random, images.shape), threat.epsilon);
    return tf.clipByValue(tf.add(images, noise) as tf.Tensor4D, 0, 1);
  });
}

const flags = (values: ArrayLike<number>): tf.Tensor1D => tf.tensor1d(Uint8Array.from(values), 'bool');

/** Replaces `current` by `chosen` where flagged, disposing `current`. */
function replaceWhere(mask: Uint8Array, chosen: tf.Tensor4D, current: tf.Tensor4D): tf.Tensor4D {
  if (!mask.includes(1)) return current;
  const next = mask.includes(0) ? tf.tidy(() => choose(flags(mask), chosen, current)) : tf.clone(chosen);
  current.dispose();
  return next;
}

/** How the step sizes of a batch follow the history of losses (section 3.2 of the paper). */
class StepSizes {
  readonly values: Float32Array;
  private readonly history: Float32Array[] = [];
  private halvedBefore: Uint8Array;
  private lossBefore: Float32Array;
  private best: Float32Array;

  constructor(
    readonly rho: number,
    initial: { stepSize: number; loss: Float32Array },
  ) {
    const n = initial.loss.length;
    this.values = new Float32Array(n).fill(initial.stepSize);
    this.best = initial.loss.slice();
    this.lossBefore = initial.loss.slice();
    // before the first checkpoint every example counts as halved: only the oscillation rule can fire there
    this.halvedBefore = new Uint8Array(n).fill(1);
  }

  get bestLoss(): Float32Array {
    return this.best;
  }

  /** Records the losses of an iteration; 1 where the best loss rose. */
  record(loss: Float32Array): Uint8Array {
    this.history.push(loss);
    const better = Uint8Array.from(loss, (value, e) => (value > this.best[e]! ? 1 : 0));
    this.best = this.best.map((value, e) => (better[e] ? loss[e]! : value));
    return better;
  }

  /** Halves step sizes at a checkpoint; 1 where it did. */
  check(window: number): Uint8Array {
    const last = this.history.length;
    const halved = this.values.map((_, e) => {
      let rises = 0;
      for (let j = last - window; j < last; j++) {
        // before the first iteration the official code reads the still empty end of its buffer: zero
        const previous = j === 0 ? 0 : this.history[j - 1]![e]!;
        if (this.history[j]![e]! > previous) rises++;
      }
      const stalled = !this.halvedBefore[e] && this.best[e] === this.lossBefore[e];
      return rises <= this.rho * window || stalled ? 1 : 0;
    });
    this.halvedBefore = Uint8Array.from(halved);
    this.lossBefore = this.best.slice();
    this.halvedBefore.forEach((flag, e) => flag && (this.values[e]! /= 2));
    return this.halvedBefore;
  }
}

/** `x + a (v - x) + (1 - a) (x - previous)`, projected, where v is the projected gradient step. */
function nextPoint(
  run: ApgdRun,
  at: { point: tf.Tensor4D; previous: tf.Tensor4D; gradient: tf.Tensor4D; stepSizes: Float32Array; first: boolean },
): tf.Tensor4D {
  const { norm, epsilon } = run.context.threat;
  const { point, previous, gradient, stepSizes, first } = at;
  const ball = { origin: run.images, epsilon };
  return tf.tidy(() => {
    const direction = norm.normalize(gradient);
    const stepped = norm.project(tf.add(point, tf.mul(perExample(stepSizes), direction)) as tf.Tensor4D, ball);
    const weight = first ? 1 : stepWeight;
    const drift = tf.mul(tf.sub(point, previous), 1 - weight);
    const mixed = tf.add(tf.add(point, tf.mul(tf.sub(stepped, point), weight)), drift);
    return norm.project(mixed as tf.Tensor4D, ball);
  });
}

/** One run in the linf or l2 ball (Croce and Hein, 2020, Algorithm 1; arXiv:2003.01690). */
export async function apgdDense(run: ApgdRun): Promise<ApgdResult> {
  const { iterations, rho, context, trace } = run;
  const drawn = apgdStart(run); // drawn even where a start is given: the stream of draws stays that of the official code
  let point = run.start ? tf.clone(run.start) : tf.clone(drawn);
  drawn.dispose();
  let { gradient, loss, correct } = await evaluateAt(run, point);
  const zeroGradient = await zeroGradients(gradient);
  trace?.point?.(point, 0);
  let [previous, best, adversarial] = [tf.clone(point), tf.clone(point), tf.clone(point)];
  let bestGradient = tf.clone(gradient);
  const robust = correct.slice();
  const steps = new StepSizes(rho, { stepSize: 2 * context.threat.epsilon, loss });
  const checks = new Map(checkpoints(iterations).map(({ after, window }) => [after, window]));

  for (let i = 0; i < iterations; i++) {
    const next = nextPoint(run, { point, previous, gradient, stepSizes: steps.values, first: i === 0 });
    tf.dispose([previous, gradient]);
    [previous, point] = [point, next];
    ({ gradient, loss, correct } = await evaluateAt(run, point));
    trace?.point?.(point, i + 1);
    adversarial = replaceWhere(
      correct.map((flag) => 1 - flag),
      point,
      adversarial,
    );
    correct.forEach((flag, e) => (robust[e]! &= flag));
    const better = steps.record(loss);
    best = replaceWhere(better, point, best);
    bestGradient = replaceWhere(better, gradient, bestGradient);
    const window = checks.get(i + 1);
    if (window !== undefined) {
      const halved = steps.check(window);
      trace?.checkpoint?.({ after: i + 1, halved, stepSizes: steps.values.slice() });
      point = replaceWhere(halved, best, point);
      gradient = replaceWhere(halved, bestGradient, gradient);
    }
    context.progress?.((i + 1) / iterations);
  }
  tf.dispose([point, previous, gradient, bestGradient]);
  return { best, adversarial, robust, bestLoss: steps.bestLoss, zeroGradient };
}
