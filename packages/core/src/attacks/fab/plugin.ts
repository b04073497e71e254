import * as tf from '../../tensor/index.js';
import type { Attack, AttackContext } from '../../hooks/index.js';
import { defineAttack, integer, number } from '../../plugins/index.js';
import { apgdRecipe, fabRecipe } from '../recipe.js';
import { SurvivorPool } from '../survivors.js';
import { fabRun } from './run.js';

/** How FAB runs. */
export interface FabOptions {
  readonly iterations: number;
  readonly restarts: number;
  readonly alphaMax: number;
  readonly eta: number;
  readonly beta: number;
  /** 0: untargeted; otherwise the number of target classes, the next most likely ones. */
  readonly targets: number;
}

/**
 * FAB on the examples that are classified correctly. An example is broken if the nearest misclassified point lies in the ball; it then
 * leaves, and all others come back as they were. From the second restart on, runs begin at a random point.
 */
async function fab(
  target: { images: tf.Tensor4D; labels: tf.Tensor1D },
  options: FabOptions,
  context: AttackContext,
): Promise<tf.Tensor4D> {
  const pool = await SurvivorPool.of(target, context);
  const count = Math.min(options.targets, context.model.classes - 1);
  const ranks = count === 0 ? [0] : Array.from({ length: count }, (_, r) => r + 1);
  const runs = ranks.length * options.restarts;
  const nearest = new Float32Array(target.images.shape[0]).fill(Infinity);
  let done = 0;
  for (const rank of ranks)
    for (let restart = 0; restart < options.restarts && pool.survivors.length > 0; restart++) {
      const { images, labels, indices } = pool.batch();
      const targets = rank === 0 ? undefined : pool.classAtRank(indices, rank);
      const progress = (share: number) => context.progress?.((done + share) / runs);
      const { points, distances } = await fabRun({
        ...options,
        images,
        labels,
        targets,
        context: { ...context, progress },
        randomStart: restart > 0,
      });
      distances.forEach((distance, k) => (nearest[indices[k]!] = Math.min(nearest[indices[k]!]!, distance)));
      pool.settle(
        indices,
        [...distances].map((distance) => (distance <= context.threat.epsilon ? 0 : 1)),
        points,
      );
      tf.dispose([images, labels, points, ...(targets ? [targets] : [])]);
      done++;
    }
  context.observe?.({ kind: 'minimum-norm', perExample: nearest });
  return pool.finish();
}

/** The attack with these options, as AutoAttack uses it. */
export const fabAttack = (options: FabOptions): Attack => ({
  label: [options.targets === 0 ? 'fab' : 'fab-t', ...(options.restarts > 1 ? [`x${options.restarts}`] : [])].join('-'),
  settings: { ...options },
  run: (images, labels, context) => fab({ images, labels }, options, context),
});

const shared = {
  iterations: integer({ min: 1 }).default(fabRecipe.iterations).describe('Iterations per run'),
  restarts: integer({ min: 1 })
    .default(fabRecipe.restarts)
    .describe('Runs per example while it survives; from the second on from a random point'),
  alphaMax: number({ min: 0, max: 1 })
    .default(fabRecipe.alphaMax)
    .describe('Largest share of the step towards the image'),
  eta: number({ min: 1 }).default(fabRecipe.eta).describe('Overshoot beyond the linearised boundary'),
  beta: number({ above: 0, max: 1 })
    .default(fabRecipe.beta)
    .describe('Backward step: share of the perturbation that is kept'),
};
const cite = 'Croce and Hein, 2020, Algorithm 1; arXiv:1907.02044';

export const fabPlugin = defineAttack({
  name: 'fab',
  summary: 'Fast adaptive boundary attack: the nearest misclassified point, for all classes at once.',
  cite,
  options: shared,
  create: (options) => fabAttack({ ...options, targets: 0 }),
});

export const fabTargetedPlugin = defineAttack({
  name: 'fab-t',
  summary: 'FAB towards each of the most likely wrong classes: cheaper where there are many classes.',
  cite,
  options: {
    ...shared,
    targets: integer({ min: 1 }).default(apgdRecipe.targets).describe('Target classes: the next most likely ones'),
  },
  create: fabAttack,
});
