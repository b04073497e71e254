import * as tf from '../tensor/index.js';
import { defineAttack, integer, number, pixelLength } from '../plugins/index.js';
import { overPixels } from '../threat/index.js';
import { fixedStepAttack } from './fixed-step.js';
import type { GradientLoop } from './loop.js';

/**
 * `m = decay m + g / mean|g|` (the paper's Eq. 6 divides by the L1 norm, which only rescales m). The reference gives NaN where the
 * gradient is 0; here the momentum is kept. One accumulator per run of the loop; `dispose` ends it.
 */
export function momentum(decay: number): {
  /** From the gradient to the accumulated one; the caller disposes it. */
  transform: NonNullable<GradientLoop['transform']>;
  /** Frees the accumulator. */
  dispose: () => void;
} {
  let m: tf.Tensor4D | undefined;
  return {
    transform(gradient) {
      const next = tf.tidy(() => {
        const mean = tf.mean(tf.abs(gradient), overPixels, true);
        const scaled = tf.div(gradient, tf.where(tf.greater(mean, 0), mean, tf.onesLike(mean))) as tf.Tensor4D;
        return tf.keep(m ? (tf.add(tf.mul(m, decay), scaled) as tf.Tensor4D) : tf.clone(scaled));
      });
      m?.dispose();
      m = next;
      return tf.clone(next);
    },
    dispose: () => m?.dispose(),
  };
}

export const momentumFgsm = defineAttack({
  name: 'mi-fgsm',
  summary: 'Momentum iterative FGSM: the sign of an accumulated, normalised gradient.',
  cite: 'Dong et al., 2018, Eq. 6 and 7; arXiv:1710.06081',
  options: {
    steps: integer({ min: 1 }).default(10).describe('Gradient steps'),
    stepSize: pixelLength({ above: 0 })
      .optional()
      .describe("Length of a step in the norm; default epsilon / steps, as in the attack's paper"),
    decay: number({ min: 0 }).default(1).describe('Decay factor of the momentum'),
  },
  create: ({ steps, stepSize, decay }) => ({
    label: `mi-fgsm-${steps}`,
    settings: { steps, stepSize, decay },
    run(images, labels, context) {
      const { transform, dispose } = momentum(decay);
      const points = fixedStepAttack(
        { images, labels },
        { loss: 'ce', steps, stepSize: stepSize ?? context.threat.epsilon / steps, start: 'image', transform },
        context,
      );
      dispose();
      return points;
    },
  }),
});
