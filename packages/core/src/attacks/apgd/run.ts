import * as tf from '../../tensor/index.js';
import type { AttackContext } from '../../hooks/index.js';
import type { LogitLoss } from '../attack-loss.js';
import { inputGradient } from '../../classifier/index.js';
import { choose, column } from '../choose.js';

/** One run of APGD on one batch. */
export interface ApgdRun {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
  readonly context: AttackContext;
  readonly loss: LogitLoss;
  readonly iterations: number;
  /** Share of increasing steps below which the step size is halved. */
  readonly rho: number;
  /** Gradients averaged per iteration, for randomised models. */
  readonly eot: number;
  /** First point `[batch, h, w, c]`; default a random one. */
  readonly start?: tf.Tensor4D;
  readonly trace?: ApgdTrace;
}

/** What the tests watch; the tensors live only as long as the call. */
export interface ApgdTrace {
  point?(point: tf.Tensor4D, iteration: number): void;
  /** Flags (0 or 1) and step sizes, `[batch, 1, 1, 1]`. */
  checkpoint?(at: { after: number; halved: tf.Tensor; stepSizes: tf.Tensor }): void;
}

/** What a run found; the caller disposes the tensors. */
export interface ApgdResult {
  /** The point with the highest loss, `[batch, h, w, c]`. */
  readonly best: tf.Tensor4D;
  /** The last misclassified point, or the start where there was none. */
  readonly adversarial: tf.Tensor4D;
  /** 1 where every point was classified correctly. */
  readonly robust: Float32Array;
  readonly bestLoss: Float32Array;
  /** 1 where the gradient at the start was exactly 0. */
  readonly zeroGradient: Float32Array;
}

/** Gradient, loss and correctness at one point. */
export interface Evaluated {
  readonly gradient: tf.Tensor4D;
  /** `[batch, 1, 1, 1]`. */
  readonly loss: tf.Tensor4D;
  /** 1 where the point is classified correctly, `[batch, 1, 1, 1]` float32. */
  readonly correct: tf.Tensor4D;
}

/** Evaluates a point `eot` times: the mean gradient, loss and prediction of the last evaluation, as the official code does. */
export function evaluateAt(run: ApgdRun, point: tf.Tensor4D): Evaluated {
  return tf.tidy(() => {
    let found = inputGradient(run.context.model, point, run);
    let sum = found.gradient;
    for (let i = 1; i < run.eot; i++) {
      const before = sum;
      tf.dispose([found.losses, found.logits]);
      found = inputGradient(run.context.model, point, run);
      sum = tf.add(before, found.gradient);
      tf.dispose([before, found.gradient]);
    }
    return {
      gradient: run.eot === 1 ? sum : tf.div<tf.Tensor4D>(sum, run.eot),
      loss: column(found.losses),
      correct: column(tf.cast(tf.equal(tf.argMax(found.logits, 1), run.labels), 'float32')),
    };
  });
}

/** What runs in any norm remember; all on the engine. */
export interface Memory {
  readonly best: tf.Tensor4D;
  readonly bestGradient: tf.Tensor4D;
  /** `[batch, 1, 1, 1]`, as the next. */
  readonly bestLoss: tf.Tensor4D;
  readonly robust: tf.Tensor4D;
  readonly adversarial: tf.Tensor4D;
}

/** What is known after the first point. */
export const firstMemory = (point: tf.Tensor4D, { gradient, loss, correct }: Evaluated): Memory => ({
  ...{ best: point.clone(), bestGradient: gradient.clone(), bestLoss: loss.clone() },
  ...{ robust: correct.clone(), adversarial: point.clone() },
});

/** What is known after one more point. */
export function remember(before: Memory, point: tf.Tensor4D, { gradient, loss, correct }: Evaluated): Memory {
  const better = tf.greater(loss, before.bestLoss);
  return {
    best: choose(better, point, before.best),
    bestGradient: choose(better, gradient, before.bestGradient),
    bestLoss: tf.where(better, loss, before.bestLoss),
    robust: tf.mul<tf.Tensor4D>(before.robust, correct),
    adversarial: choose(correct, before.adversarial, point),
  };
}

/** 1 where an example's gradient is exactly zero everywhere, `[batch, 1, 1, 1]`. */
export const zeroGradients = (gradient: tf.Tensor4D): tf.Tensor4D =>
  tf.tidy(() => tf.cast(tf.equal(tf.max(tf.abs(gradient), [1, 2, 3], true), 0), 'float32') as tf.Tensor4D);

/** Reads what a run found, which nothing did before, and frees the rest. */
export async function resultOf({ best, adversarial, ...rest }: Memory, zero: tf.Tensor4D): Promise<ApgdResult> {
  const read = async (values: tf.Tensor) => Float32Array.from(await values.data());
  const [robust, bestLoss, zeroGradient] = await Promise.all([rest.robust, rest.bestLoss, zero].map(read));
  tf.dispose([rest.bestGradient, rest.bestLoss, rest.robust, zero]);
  return { best, adversarial, robust: robust!, bestLoss: bestLoss!, zeroGradient: zeroGradient! };
}
