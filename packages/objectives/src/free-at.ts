import { defineObjective, integer, type InnerOptimizer, type StepFindings } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { keptPerturbation, type KeptPerturbation } from './inner/kept-perturbation.js';
import { assemble, passesOption } from './terms/assemble.js';
import { crossEntropyAt } from './terms/cross-entropy.js';

/** The image with the perturbation that the last step left, which may leave [0, 1] on a new batch. */
const perturbed = (kept: KeptPerturbation): InnerOptimizer => ({
  produces: ['adversarial'],
  beyond: ['adversarial'],
  craft({ images }, { threat, offset = 0 }) {
    const delta = () => (threat.epsilon === 0 ? tf.zerosLike(images) : kept.rows(images.shape, offset));
    return { points: { adversarial: tf.tidy(() => tf.add(images, delta()) as tf.Tensor4D) } };
  },
});

/** `delta <- delta + epsilon sign(g)`, in the ball and the pixel range, with the gradient that the update of the weights used. */
function moved(kept: KeptPerturbation, { batch, threat, imageGradient }: StepFindings): void {
  const { images } = batch;
  tf.tidy(() => {
    const step = tf.mul(threat.norm.normalize(imageGradient('adversarial')), threat.epsilon);
    const point = tf.addN([images, kept.rows(images.shape, 0), step]) as tf.Tensor4D;
    const projected = threat.norm.project(point, { origin: images, epsilon: threat.epsilon });
    kept.keep(tf.sub(projected, images));
  });
}

/** Free adversarial training: each batch several times in a row; one backward pass moves the weights and the perturbation. */
export const freeAt = defineObjective({
  name: 'free-at',
  summary: 'Adversarial training whose attack reuses the gradient of the training step, each batch replayed.',
  cite: 'Shafahi et al., 2019, Algorithm 1; arXiv:1904.12843',
  options: {
    replays: integer({ min: 1 })
      .default(8)
      .describe('steps in a row on each batch; train for that many times fewer epochs'),
    passes: passesOption(['adversarial']),
  },
  create({ replays, passes }) {
    const kept = keptPerturbation();
    return {
      ...assemble({ inner: perturbed(kept), classification: crossEntropyAt('adversarial'), passes }),
      replays,
      imageGradients: ['adversarial'],
      afterStep: (findings) => moved(kept, findings),
      state: kept.state,
      dispose: kept.dispose,
    };
  },
});
