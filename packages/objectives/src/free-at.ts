import { defineObjective, integer, type PointMaker, type StepFindings } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { keptPerturbation, type KeptPerturbation } from './inner/kept-perturbation.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { passesOption } from './terms/passes-option.js';

/** The image with the perturbation that the last step left, which may leave [0, 1] on a new batch. */
const perturbed =
  (kept: KeptPerturbation): PointMaker =>
  ({ images }, { threat, offset = 0 }) =>
    tf.add(images, threat.epsilon === 0 ? tf.zerosLike(images) : kept.rows(images.shape, offset)) as tf.Tensor4D;

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
    passes: passesOption(),
  },
  create({ replays, passes }) {
    const kept = keptPerturbation();
    return {
      points: { adversarial: perturbed(kept) },
      beyond: ['adversarial'],
      loss: { classification: crossEntropyAt('adversarial') },
      passes,
      replays,
      imageGradients: ['adversarial'],
      afterStep: (findings) => moved(kept, findings),
      state: kept.state,
      dispose: kept.dispose,
    };
  },
});
