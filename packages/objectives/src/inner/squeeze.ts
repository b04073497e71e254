import {
  attackStep,
  defineInnerOptimizer,
  discrepancy as discrepancyNamed,
  discrepancyNames,
  forwardEach,
  passIsKept,
  releasingEarly,
  withConstantParameters,
  withRepeatedImages,
  type Batch,
  type CraftContext,
  type Discrepancy,
  type InnerOptimizer,
} from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { innerOptions, type InnerSettings } from './settings.js';
import { chooseSides, masksOf, pick, sideIndex, type Sides, type Triplet } from './sides.js';
import { startPoint } from './start.js';

export interface SqueezeOptions extends InnerSettings {
  readonly discrepancy: Discrepancy;
  /**
   * The authors' released code: in an iteration in which no example of the batch chooses the natural point, gradients change
   * sides but points do not. Default: points always go with their gradients, as in the paper.
   */
  readonly noSwapWhenNoBenign?: boolean;
}

/** Is any of these flags set? Where the engine cannot be read at once, the safe answer is yes. */
function any(...masks: tf.Tensor1D[]): boolean {
  try {
    return masks.some((mask) => mask.dataSync().some((flag) => flag !== 0));
  } catch {
    return true;
  }
}

interface Pair {
  readonly adversarial: tf.Tensor4D;
  readonly collaborative: tf.Tensor4D;
}

/** Everything that stays the same while one batch is squeezed. */
interface Squeeze {
  readonly batch: Batch;
  readonly context: CraftContext;
  readonly options: SqueezeOptions;
  /** `[batch, classes]`, off the tape. */
  readonly naturalLogits: tf.Tensor2D;
}

/** Gradients at the triplet's points and the sides that they were taken for. Kept masks: the caller disposes them. */
function gradientsAtTriplet(
  squeeze: Squeeze,
  pair: Pair,
  step: number,
): { gradients: Triplet<tf.Tensor4D>; sides: Sides } {
  const { batch, context, options } = squeeze;
  const { model } = context;
  const natural = batch.images.clone();
  let sides!: Sides;
  const loss = () => {
    const pairPoints = [pair.collaborative, pair.adversarial];
    const kept = passIsKept(natural);
    const logits = forwardEach(model, kept ? [natural, ...pairPoints] : pairPoints, options.mode);
    const triplet = (kept ? logits : [squeeze.naturalLogits, ...logits]) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    sides = chooseSides(triplet, batch.labels);
    masksOf(sides).forEach((mask) => tf.keep(mask));
    // the natural point needs a gradient of its own only where some example steps from it
    if (!kept && any(sides.upper.natural, sides.lower.natural)) triplet[0] = model.forward(natural, options.mode);
    const values = options.discrepancy(pick(sides.upper, triplet), pick(sides.lower, triplet));
    context.observe?.({
      step,
      points: { adversarial: pair.adversarial, collaborative: pair.collaborative },
      loss: values,
      choice: { upper: sideIndex(sides.upper), lower: sideIndex(sides.lower) },
    });
    return tf.sum(values) as tf.Scalar;
  };
  const points = [natural, pair.collaborative, pair.adversarial];
  // not tf.grads: the natural point is often not part of the loss, which is no mistake here
  const { grads } = withConstantParameters(() => tf.engine().gradients(releasingEarly(loss), points, undefined, true));
  const gradients = points.map((point, i) => (grads[i] as tf.Tensor4D | undefined) ?? tf.zerosLike(point));
  return { gradients: gradients as unknown as Triplet<tf.Tensor4D>, sides };
}

/** One update of both points: each side steps from the point it chose, along that point's gradient, uphill. */
function squeezeStep(squeeze: Squeeze, pair: Pair, step: number): Pair {
  return tf.tidy(() => {
    const { batch, context, options } = squeeze;
    const { gradients, sides } = gradientsAtTriplet(squeeze, pair, step);
    const points = [batch.images, pair.collaborative, pair.adversarial] as const;
    const stays = options.noSwapWhenNoBenign && !any(sides.upper.natural, sides.lower.natural);
    const moved = (side: Sides['upper'], own: tf.Tensor4D) =>
      attackStep(stays ? own : pick(side, points), pick(side, gradients), {
        origin: batch.images,
        threat: context.threat,
        stepSize: options.stepSize,
      });
    const next = {
      adversarial: moved(sides.upper, pair.adversarial),
      collaborative: moved(sides.lower, pair.collaborative),
    };
    tf.dispose(masksOf(sides));
    return next;
  });
}

/**
 * The pair of Squeeze Training (Li et al., 2023, Eq. 6 and Algorithm 1; arXiv:2205.11156): two points that both climb their mutual
 * discrepancy, re-assigned in every iteration so that the adversarial one has the lowest and the collaborative one the highest
 * probability of the true class among natural, collaborative and adversarial point. `steps` updates, as in the authors' code.
 */
export function squeeze(options: SqueezeOptions): InnerOptimizer {
  return {
    produces: ['adversarial', 'collaborative'],
    craft(batch, context) {
      const squeezed = () => {
        // two draws, the adversarial point's first
        const adversarial = startPoint(batch.images, context, options);
        const collaborative = startPoint(batch.images, context, options);
        const { threat } = context;
        const project = (point: tf.Tensor4D) =>
          threat.norm.project(point, { origin: batch.images, epsilon: threat.epsilon });
        if (options.steps === 0) return { adversarial: project(adversarial), collaborative: project(collaborative) };
        const naturalLogits = context.model.forward(batch.images, options.mode);
        const fixed = { batch, context, options, naturalLogits };
        let pair: Pair = { adversarial, collaborative };
        for (let step = 0; step < options.steps; step++) {
          const next = squeezeStep(fixed, pair, step);
          tf.dispose([pair.adversarial, pair.collaborative]);
          pair = next;
        }
        return { ...pair };
      };
      // the natural point stays where it is, but its gradient is another one in each step
      return { points: tf.tidy(() => withRepeatedImages(batch.images, squeezed)) };
    },
  };
}

export const squeezePlugin = defineInnerOptimizer({
  name: 'squeeze',
  summary: 'A pair of points, adversarial and collaborative, that climb their mutual discrepancy.',
  cite: 'Li et al., 2023, Eq. 6 and Algorithm 1; arXiv:2205.11156',
  options: {
    discrepancy: z.enum(discrepancyNames).default('symmetric-kl').describe('what the pair climbs'),
    detachTarget: z.boolean().default(true).describe('symmetric-kl only: the target of each KL term is a constant'),
    noSwapWhenNoBenign: z.boolean().default(false).describe("the authors' quirk; see the st page"),
    ...innerOptions({ start: 'gaussian', mode: 'batch' }),
  },
  create: ({ discrepancy, detachTarget, ...settings }) =>
    squeeze({ ...settings, discrepancy: discrepancyNamed(discrepancy, { detachTarget }) }),
});
