import { crossEntropy, inputGradient, logitsOf, type Batch, type CraftContext } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { denseSteps } from './dense-steps.js';
import { normOf, type Ball } from './options.js';
import { sparseSteps } from './sparse-steps.js';

/** How an attack in one norm runs. */
export interface ApgdSteps {
  readonly ball: Ball;
  readonly steps: number;
  /** l1: share of the pixels that the first step moves; 0.05 in training (the default), 0.2 where the authors evaluate. */
  readonly firstShare?: number;
}

/** What an attack in one norm found. */
export interface Found {
  /** The points of highest loss, the image included, `[batch, h, w, c]`; the caller's. */
  readonly best: tf.Tensor4D;
  /** Their loss. */
  readonly bestLoss: Float32Array;
  /** 1 where the model was right at every point, the image included. */
  readonly robust: Uint8Array;
}

/** The points of a batch at one moment, with what the model says of them. */
export interface Place {
  readonly point: tf.Tensor4D;
  readonly gradient: tf.Tensor4D;
}

/** How the points of one norm move, and what happens to the step sizes. */
export interface Steps {
  /** The next points. */
  next(now: Place, previous: tf.Tensor4D, index: number): tf.Tensor4D;
  /**
   * Sees the losses of an iteration (from 0), after the best were updated.
   * @returns 1 where the attack goes on from the best point
   */
  check(index: number, at: { loss: Float32Array; bestLoss: Float32Array; best: tf.Tensor4D }): Uint8Array | undefined;
}

/** `a` where flagged, else `b`. */
const choose = (flags: Uint8Array, a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D =>
  tf.where(tf.reshape(tf.tensor1d(flags, 'bool'), [flags.length, 1, 1, 1]), a, b) as tf.Tensor4D;

/**
 * APGD for training (Croce and Hein, 2022, robust-finetuning; arXiv:2105.12508): from the image, one run, in eval mode, the points of
 * highest loss. `steps` + 1 forward and `steps` backward passes; the step sizes follow losses that are read back in each iteration.
 */
export function trainingApgd(batch: Batch, context: CraftContext, { ball, steps, firstShare }: ApgdSteps): Found {
  const { model, observe } = context;
  const { images, labels } = batch;
  const y = batch.targets ?? labels;
  const look = (point: tf.Tensor4D, index: number) => {
    const loss = (logits: tf.Tensor2D) => crossEntropy(logits, y);
    const found =
      index < steps
        ? inputGradient(model, point, { loss })
        : tf.tidy(() => {
            const logits = logitsOf(model, point);
            return { logits, losses: loss(logits), gradient: tf.zerosLike(point) };
          });
    observe?.({ step: index, points: { [ball.norm]: point }, loss: found.losses });
    const correct = tf.equal(tf.argMax(found.logits, 1), labels).dataSync() as Uint8Array;
    return { gradient: found.gradient, losses: found.losses.dataSync() as Float32Array, correct };
  };
  const { epsilon } = ball;
  const rule = normOf(ball).sparse
    ? sparseSteps(images, ball, { steps, firstShare })
    : denseSteps(images, { norm: normOf(ball), epsilon, steps });

  let [robust, bestLoss] = [new Uint8Array(), new Float32Array()];
  let state = tf.tidy(() => {
    const { gradient, losses, correct } = look(images, 0);
    [robust, bestLoss] = [correct.slice(), losses.slice()];
    const point = images.clone();
    return { point, previous: images.clone(), gradient, best: images.clone(), bestGradient: gradient.clone() };
  });
  for (let index = 0; index < steps; index++) {
    const before = state;
    state = tf.tidy(() => {
      const point = rule.next(before, before.previous, index);
      const { gradient, losses, correct } = look(point, index + 1);
      correct.forEach((flag, e) => (robust[e]! &= flag));
      const better = Uint8Array.from(losses, (loss, e) => (loss > bestLoss[e]! ? 1 : 0));
      bestLoss = bestLoss.map((loss, e) => (better[e] ? losses[e]! : loss));
      const best = choose(better, point, before.best);
      const bestGradient = choose(better, gradient, before.bestGradient);
      const back = rule.check(index, { loss: losses, bestLoss, best });
      const now = back
        ? { point: choose(back, best, point), gradient: choose(back, bestGradient, gradient) }
        : { point, gradient };
      return { ...now, previous: before.point.clone(), best, bestGradient };
    });
    tf.dispose(Object.values(before));
  }
  const { best, ...rest } = state;
  tf.dispose(Object.values(rest));
  return { best, bestLoss, robust };
}
