import type * as tf from '../../tensor/index.js';
import type { AttackContext } from '../../hooks/index.js';
import type { LogitLoss } from '../attack-loss.js';
import { inputGradient } from '../../classifier/index.js';
import { take } from '../gradient.js';
import * as ops from '../../tensor/index.js';

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

/** What the tests watch. */
export interface ApgdTrace {
  point?(point: tf.Tensor4D, iteration: number): void;
  checkpoint?(at: { after: number; halved: Uint8Array; stepSizes: Float32Array }): void;
}

/** What a run found; the caller disposes the tensors. */
export interface ApgdResult {
  /** The point with the highest loss, `[batch, h, w, c]`. */
  readonly best: tf.Tensor4D;
  /** The last misclassified point, or the start where there was none. */
  readonly adversarial: tf.Tensor4D;
  /** 1 where every point was classified correctly. */
  readonly robust: Uint8Array;
  readonly bestLoss: Float32Array;
  /** 1 where the gradient at the start was exactly 0. */
  readonly zeroGradient: Uint8Array;
}

/** Gradient, loss and correctness at one point. */
export interface Evaluated {
  readonly gradient: tf.Tensor4D;
  readonly loss: Float32Array;
  readonly correct: Uint8Array;
}

/**
 * Evaluates a point `eot` times: the mean gradient, loss and prediction of the last evaluation, as the official code does.
 */
export async function evaluateAt(run: ApgdRun, point: tf.Tensor4D): Promise<Evaluated> {
  let sum: tf.Tensor4D | undefined;
  for (let i = 1; ; i++) {
    const { gradient, losses, logits } = inputGradient(run.context.model, point, run);
    const next: tf.Tensor4D = sum ? ops.add(sum, gradient) : gradient;
    if (sum) ops.dispose([sum, gradient]);
    sum = next;
    if (i < run.eot) {
      ops.dispose([losses, logits]);
      continue;
    }
    const facts = ops.tidy(() => {
      const correct = ops.cast(ops.equal(ops.argMax(logits, 1), run.labels), 'float32');
      return ops.concat([losses, correct as tf.Tensor1D]);
    });
    const mean: tf.Tensor4D = run.eot === 1 ? sum : ops.div(sum, run.eot);
    if (run.eot > 1) sum.dispose();
    ops.dispose([losses, logits]);
    const values = await take(facts);
    const n = values.length / 2;
    return { gradient: mean, loss: values.slice(0, n), correct: Uint8Array.from(values.subarray(n)) };
  }
}

/** 1 where an example's gradient is exactly zero everywhere. */
export async function zeroGradients(gradient: tf.Tensor4D): Promise<Uint8Array> {
  const largest = await take(ops.tidy(() => ops.max(ops.abs(gradient), [1, 2, 3])));
  return Uint8Array.from(largest, (value) => (value === 0 ? 1 : 0));
}
