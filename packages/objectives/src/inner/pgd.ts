import {
  defineInnerOptimizer,
  discrepancy,
  discrepancyNames,
  gradientLoop,
  logitsOf,
  radiusOf,
  type Batch,
  type CraftContext,
  type InnerOptimizer,
  type Role,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { examineStart } from './examine.js';
import { onCrossEntropy, onDiscrepancyToNatural, type Goal } from './goals.js';
import { innerOptions, type InnerSettings } from './settings.js';
import { startPoint } from './start.js';

/** One attack of a training method. */
export interface PgdOptions extends InnerSettings {
  /** Which neighbour it makes. */
  readonly role: Role;
  readonly goal: Goal;
  /** Downhill instead of uphill. */
  readonly descend?: boolean;
  /** One more pass at the last point, for its side effect on running statistics in `train` mode (Rice et al.). */
  readonly evaluateLast?: boolean;
  /** Sees the logits `[batch, classes]` of the point that each update starts from; what it keeps it disposes. */
  readonly onLogits?: (logits: tf.Tensor2D) => void;
}

/**
 * Projected gradient ascent (Madry et al., 2018, section 2.1; arXiv:1706.06083) from the chosen start; the last iterate is used.
 * @returns `[batch, h, w, c]` float32 in [0, 1], inside the ball
 */
export function pgdPoint(batch: Batch, context: CraftContext, options: PgdOptions): tf.Tensor4D {
  const { model, threat, observe } = context;
  const { role, steps, stepSize, mode } = options;
  return tf.tidy(() => {
    const loss = options.goal(batch, (points) => logitsOf(model, points, mode), model.classes);
    const start = startPoint(batch.images, context, options);
    const origin = batch.images;
    const last =
      steps === 0
        ? threat.norm.project(start, { origin, epsilon: radiusOf(threat) })
        : gradientLoop({
            ...{ model, mode, threat, origin, start, steps, loss },
            stepSize: options.descend ? -stepSize : stepSize,
            onGradient({ logits, losses }, { point, step }) {
              options.onLogits?.(logits);
              observe?.({ step, points: { [role]: point }, loss: losses });
            },
          });
    if (options.evaluateLast) logitsOf(model, last, mode).dispose();
    return last;
  });
}

/** An inner optimizer that makes one neighbour; unless told otherwise the adversarial one, climbing cross-entropy. */
export function pgd(
  given: Omit<PgdOptions, 'role' | 'goal'> & Partial<Pick<PgdOptions, 'role' | 'goal'>>,
): InnerOptimizer {
  const options = { role: 'adversarial', goal: onCrossEntropy, ...given };
  return {
    produces: [options.role],
    followsRadii: true,
    craft: (batch, context) => ({ points: { [options.role]: pgdPoint(batch, context, options) } }),
  };
}

export const pgdPlugin = defineInnerOptimizer({
  name: 'pgd',
  summary: 'Projected gradient steps on cross-entropy or on a discrepancy to the natural output.',
  cite: 'Madry et al., 2018, section 2.1; arXiv:1706.06083',
  options: {
    goal: z
      .enum(['cross-entropy', ...discrepancyNames])
      .default('cross-entropy')
      .describe('what the attack climbs: cross-entropy with the label, or a discrepancy to the natural output'),
    direction: z.enum(['ascend', 'descend']).default('ascend').describe('descend makes collaborative examples'),
    role: z.string().optional().describe('name of the point; default adversarial, or collaborative when it descends'),
    detachTarget: onlyWith(
      z.boolean().default(false).describe('symmetric-kl only: the target of each KL term is a constant'),
      { goal: 'symmetric-kl' },
    ),
    ...innerOptions({ start: 'gaussian', mode: 'eval' }),
  },
  examine: ({ goal, ...settings }) => examineStart(settings, { name: '', fromNatural: goal !== 'cross-entropy' }),
  create: ({ goal, direction, role, detachTarget, ...settings }) => {
    const descend = direction === 'descend';
    return pgd({
      ...settings,
      descend,
      role: role ?? (descend ? 'collaborative' : 'adversarial'),
      goal: goal === 'cross-entropy' ? onCrossEntropy : onDiscrepancyToNatural(discrepancy(goal, { detachTarget })),
    });
  },
});
