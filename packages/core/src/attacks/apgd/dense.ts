import * as tf from '../../tensor/index.js';
import { choose } from '../choose.js';
import { eachStep } from '../each-step.js';
import { checkpoints } from './schedule.js';
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

/** Weight of the gradient step against the momentum after the first iteration. */
const stepWeight = 0.75;

/** A random direction whose length (in the norm) is epsilon, from the image, cut to the pixel range. */
export function apgdStart({ images, context: { threat, random } }: ApgdRun): tf.Tensor4D {
  return tf.tidy(() => {
    const noise = tf.mul(threat.norm.randomDirection(random, images.shape), threat.epsilon);
    return tf.clipByValue(tf.add(images, noise) as tf.Tensor4D, 0, 1);
  });
}

/** Where a run is; one number per example is `[batch, 1, 1, 1]`. All on the engine. */
interface State extends Memory {
  readonly point: tf.Tensor4D;
  readonly previous: tf.Tensor4D;
  readonly gradient: tf.Tensor4D;
  readonly stepSize: tf.Tensor4D;
  /** Of the last iteration. */
  readonly loss: tf.Tensor4D;
  /** How often the loss rose since the last checkpoint. */
  readonly rises: tf.Tensor4D;
  /** Whether the last checkpoint halved the step size, and the best loss there. */
  readonly halved: tf.Tensor4D;
  readonly lossThere: tf.Tensor4D;
}

/** `x + a (v - x) + (1 - a) (x - previous)`, projected, where v is the projected gradient step. */
function nextPoint(run: ApgdRun, { point, previous, gradient, stepSize }: State, first: boolean): tf.Tensor4D {
  const { norm, epsilon } = run.context.threat;
  const ball = { origin: run.images, epsilon };
  const direction = norm.normalize(gradient);
  const stepped = norm.project(tf.add(point, tf.mul(stepSize, direction)) as tf.Tensor4D, ball);
  const weight = first ? 1 : stepWeight;
  const drift = tf.mul(tf.sub(point, previous), 1 - weight);
  const mixed = tf.add(tf.add(point, tf.mul(tf.sub(stepped, point), weight)), drift);
  return norm.project(mixed as tf.Tensor4D, ball);
}

/** Halves step sizes where the loss rose too seldom or stands still (section 3.2 of the paper), and goes back to the best point there. */
function lookBack(run: ApgdRun, state: State, { after, window }: { after: number; window: number }): State {
  const seldom = tf.lessEqual<tf.Tensor4D>(state.rises, run.rho * window);
  const still = tf.logicalAnd(tf.equal(state.halved, 0), tf.equal(state.bestLoss, state.lossThere));
  const halved = tf.cast(tf.logicalOr(seldom, still), 'float32') as tf.Tensor4D;
  const stepSize = tf.div<tf.Tensor4D>(state.stepSize, tf.add(halved, 1));
  run.trace?.checkpoint?.({ after, halved, stepSizes: stepSize });
  return {
    ...state,
    ...{ stepSize, halved, lossThere: state.bestLoss, rises: tf.zerosLike(state.rises) },
    point: choose(halved, state.best, state.point),
    gradient: choose(halved, state.bestGradient, state.gradient),
  };
}

function firstState(run: ApgdRun): State {
  return tf.tidy(() => {
    const drawn = apgdStart(run); // drawn even where a start is given: the stream of draws stays that of the official code
    const point = run.start ? run.start.clone() : drawn;
    run.trace?.point?.(point, 0);
    const found = evaluateAt(run, point);
    const nothing = tf.zerosLike(found.loss);
    return {
      ...firstMemory(point, found),
      ...{ point, previous: point.clone(), gradient: found.gradient },
      stepSize: tf.add(nothing, 2 * run.context.threat.epsilon) as tf.Tensor4D,
      // before the first iteration the official code reads the still empty end of its buffer: zero
      ...{ loss: nothing, rises: nothing.clone(), lossThere: found.loss.clone() },
      // before the first checkpoint every example counts as halved: only the oscillation rule can fire there
      halved: tf.onesLike(nothing),
    };
  });
}

/** One run in the linf or l2 ball (Croce and Hein, 2020, Algorithm 1; arXiv:2003.01690). Nothing is read before its end. */
export async function apgdDense(run: ApgdRun): Promise<ApgdResult> {
  const { iterations, context } = run;
  const checks = new Map(checkpoints(iterations).map(({ after, window }) => [after, window]));
  const first = firstState(run);
  const zero = zeroGradients(first.gradient);
  const state = await eachStep({ steps: iterations, progress: context.progress }, first, (before, step) => {
    const point = nextPoint(run, before, step === 0);
    const found = evaluateAt(run, point);
    const after = step + 1;
    run.trace?.point?.(point, after);
    const there: State = {
      ...before,
      ...remember(before, point, found),
      ...{ point, previous: before.point, gradient: found.gradient, loss: found.loss },
      rises: tf.add(before.rises, tf.cast(tf.greater(found.loss, before.loss), 'float32')),
    };
    const window = checks.get(after);
    return window === undefined ? there : lookBack(run, there, { after, window });
  });
  tf.dispose([state.point, state.previous, state.gradient, state.stepSize, state.loss]);
  tf.dispose([state.rises, state.halved, state.lossThere]);
  const { best, bestGradient, bestLoss, robust, adversarial } = state;
  return resultOf({ best, bestGradient, bestLoss, robust, adversarial }, zero);
}
