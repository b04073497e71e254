import * as tf from '../tensor/index.js';
import type { AttackContext } from '../hooks/index.js';
import { attackLoss, type AttackLossName } from './attack-loss.js';
import { choose } from './choose.js';
import { misclassified } from './judge.js';
import { gradientLoop, type GradientLoop } from './loop.js';

/** What distinguishes the attacks that take a fixed number of steps of one size. */
export interface FixedStep {
  readonly loss: AttackLossName;
  readonly steps: number;
  readonly stepSize: number;
  /** `random`: uniform in the ball, before the first gradient not clipped to [0, 1] unless `clipStart`. */
  readonly start: 'image' | 'random';
  readonly clipStart?: boolean;
  readonly restarts?: number;
  /** `last`: the last point of a restart counts; `any`: the first misclassified point on the way. */
  readonly keep?: 'last' | 'any';
  /** Passes whose gradients are averaged at each step; default 1. */
  readonly eot?: number;
  /** Changes the gradient before each step (momentum). */
  readonly transform?: GradientLoop['transform'];
}

interface Target {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
}

function startPoint(images: tf.Tensor4D, options: FixedStep, { threat, random }: AttackContext): tf.Tensor4D {
  if (options.start === 'image') return images.clone();
  return tf.tidy(() => {
    const noise = threat.norm.randomStart(random, { shape: images.shape, epsilon: threat.epsilon });
    const start = tf.add(images, noise) as tf.Tensor4D;
    return options.clipStart ? tf.clipByValue(start, 0, 1) : start;
  });
}

/** One run of the loop; with `keep: 'any'`, examples stop at their first misclassified point. */
function oneRestart({ images, labels }: Target, options: FixedStep, context: AttackContext): tf.Tensor4D {
  const { model, threat } = context;
  const start = startPoint(images, options, context);
  const { loss, dispose } = attackLoss(options.loss, { images, labels, context });
  let found: tf.Tensor4D | undefined;
  const keepFirst = (point: tf.Tensor4D, step: number) => {
    if (step === 0) return; // the start is no iterate: it may lie outside [0, 1]
    const next = tf.tidy(() =>
      found ? choose(misclassified(model, found, labels), found, point) : (point.clone() as tf.Tensor4D),
    );
    found?.dispose();
    found = next;
  };
  const last = gradientLoop({
    origin: images,
    start,
    steps: options.steps,
    stepSize: options.stepSize,
    threat,
    model,
    loss,
    transform: options.transform,
    eot: options.eot,
    onPoint: (point, step) => {
      context.progress?.(step / options.steps);
      if (options.keep === 'any') keepFirst(point, step);
    },
  });
  start.dispose();
  dispose();
  if (!found) return last;
  last.dispose();
  return found;
}

/**
 * Runs a fixed-step attack. With several restarts, an example keeps the first candidate that is misclassified, so that more
 * restarts never make the attack weaker.
 * @param target images `[batch, h, w, c]` float32 in [0, 1]; labels `[batch]` int32
 * @returns `[batch, h, w, c]` float32 in [0, 1] inside the ball
 */
export function fixedStepAttack(target: Target, options: FixedStep, context: AttackContext): tf.Tensor4D {
  let best = oneRestart(target, options, context);
  for (let restart = 1; restart < (options.restarts ?? 1); restart++) {
    const next = oneRestart(target, options, context);
    const kept = tf.tidy(() => choose(misclassified(context.model, best, target.labels), best, next));
    tf.dispose([best, next]);
    best = kept;
  }
  return best;
}
