import {
  attackStep,
  defineInnerOptimizer,
  discrepancy as discrepancyNamed,
  discrepancyNames,
  logitGradients,
  oneHotLabels,
  radiusOf,
  type Batch,
  type Classifier,
  type CraftContext,
  type Discrepancy,
  type InnerOptimizer,
  type Pass,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineStart } from './examine.js';
import { innerOptions, type InnerSettings } from './settings.js';
import { chooseSides, pick, sideIndex, type Side, type Sides, type Triplet } from './sides.js';
import { startPoint } from './start.js';

export interface SqueezeOptions extends InnerSettings {
  readonly discrepancy: Discrepancy;
  /**
   * The authors' released code: in an iteration in which no example of the batch chooses the natural point, gradients change
   * sides but points do not. Default: points always go with their gradients, as in the paper.
   */
  readonly noSwapWhenNoBenign?: boolean;
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
  /** The labels as rows, `[batch, classes]`. */
  readonly labels: tf.Tensor2D;
  /** The natural point stays where it is, but its gradient is another one in each step. */
  readonly natural: Pass;
}

/** Gradients of the discrepancy at the triplet's points, and the sides that they were taken for. */
function gradientsAtTriplet(
  { labels, context, options, natural }: Squeeze,
  pair: Pair,
  step: number,
): { gradients: Triplet<tf.Tensor4D>; sides: Sides } {
  const { model } = context;
  const moving = passIn(model, [pair.collaborative, pair.adversarial], options.mode);
  const triplet = [...natural.logits, ...moving.logits] as unknown as Triplet<tf.Tensor2D>;
  const sides = chooseSides(triplet, labels);
  const { value, dLogits } = logitGradients(triplet, (...at) => {
    const points = at as unknown as Triplet<tf.Tensor2D>;
    return options.discrepancy(pick(sides.lower, points), pick(sides.upper, points));
  });
  context.observe?.({
    step,
    points: { adversarial: pair.adversarial, collaborative: pair.collaborative },
    loss: value as tf.Tensor1D,
    choice: { upper: sideIndex(sides.upper), lower: sideIndex(sides.lower) },
  });
  const [dNatural, ...dMoving] = dLogits;
  const gradients = [
    ...natural.pullback([dNatural!], { keep: true }).images,
    ...moving.pullback(dMoving).images,
  ] as unknown as Triplet<tf.Tensor4D>;
  moving.dispose();
  return { gradients, sides };
}

/** One update of both points: each side steps from the point it chose, along that point's gradient, uphill. */
function squeezeStep(squeeze: Squeeze, pair: Pair, step: number): Pair {
  return tf.tidy(() => {
    const { batch, context, options } = squeeze;
    const { gradients, sides } = gradientsAtTriplet(squeeze, pair, step);
    const points = [batch.images, pair.collaborative, pair.adversarial] as const;
    const from = (side: Side, own: tf.Tensor4D) => {
      const chosen = pick(side, points);
      if (!options.noSwapWhenNoBenign) return chosen;
      const someBenign = tf.any(tf.cast(tf.add(sides.upper.natural, sides.lower.natural), 'bool'));
      return tf.where(someBenign, chosen, own) as tf.Tensor4D;
    };
    const moved = (side: Side, own: tf.Tensor4D) =>
      attackStep(from(side, own), pick(side, gradients), {
        origin: batch.images,
        threat: context.threat,
        stepSize: options.stepSize,
      });
    return {
      adversarial: moved(sides.upper, pair.adversarial),
      collaborative: moved(sides.lower, pair.collaborative),
    };
  });
}

/** A pass that is differentiated with respect to its images; in `train` mode the running statistics are updated. */
function passIn(model: Classifier, images: readonly tf.Tensor4D[], mode: SqueezeOptions['mode']): Pass {
  const pass = model.pass(images, { mode: mode === 'train' ? 'batch' : mode, wrt: 'images' });
  if (mode === 'train') pass.statistics.forEach((statistics) => model.applyStatistics(statistics));
  return pass;
}

/**
 * The pair of Squeeze Training (Li et al., 2023, Eq. 6 and Algorithm 1; arXiv:2205.11156): two points that both climb their mutual
 * discrepancy, re-assigned in every iteration so that the adversarial one has the lowest and the collaborative one the highest
 * probability of the true class among natural, collaborative and adversarial point. `steps` updates, as in the authors' code.
 */
export function squeeze(options: SqueezeOptions): InnerOptimizer {
  return {
    produces: ['adversarial', 'collaborative'],
    followsRadii: true,
    craft: (batch, context) => ({
      points: tf.tidy(() => {
        // two draws, the adversarial point's first
        const adversarial = startPoint(batch.images, context, options);
        const collaborative = startPoint(batch.images, context, options);
        const { threat } = context;
        const project = (point: tf.Tensor4D) =>
          threat.norm.project(point, { origin: batch.images, epsilon: radiusOf(threat) });
        if (options.steps === 0) return { adversarial: project(adversarial), collaborative: project(collaborative) };
        const natural = passIn(context.model, [batch.images], options.mode);
        const labels = oneHotLabels(batch.labels, context.model.classes);
        const fixed = { batch, context, options, labels, natural };
        let pair: Pair = { adversarial, collaborative };
        for (let step = 0; step < options.steps; step++) {
          const next = squeezeStep(fixed, pair, step);
          tf.dispose([pair.adversarial, pair.collaborative]);
          pair = next;
        }
        natural.dispose();
        return { ...pair };
      }),
    }),
  };
}

export const squeezePlugin = defineInnerOptimizer({
  name: 'squeeze',
  summary: 'A pair of points, adversarial and collaborative, that climb their mutual discrepancy.',
  cite: 'Li et al., 2023, Eq. 6 and Algorithm 1; arXiv:2205.11156',
  options: {
    discrepancy: z.enum(discrepancyNames).default('symmetric-kl').describe('what the pair climbs'),
    detachTarget: onlyWith(
      z.boolean().default(true).describe('symmetric-kl only: the target of each KL term is a constant'),
      { discrepancy: 'symmetric-kl' },
    ),
    noSwapWhenNoBenign: z.boolean().default(false).describe("the authors' quirk; see the st page"),
    ...innerOptions({ start: 'gaussian', mode: 'batch' }),
  },
  examine: (settings) => examineStart(settings, { name: '', fromNatural: true }),
  create: ({ discrepancy, detachTarget, ...settings }) =>
    squeeze({ ...settings, discrepancy: discrepancyNamed(discrepancy, { detachTarget }) }),
});
