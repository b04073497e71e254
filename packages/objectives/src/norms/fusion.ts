import * as tf from '@tensorflow/tfjs-core';

/** Tensors of a model by name: weights, and running statistics if they are to be fused, too. */
export type NamedTensors = ReadonlyMap<string, tf.Tensor>;

/**
 * The fusion of RAMP's training from scratch (Jiang and Singh, 2024, section 4.3; arXiv:2402.06827), once per epoch: what adversarial
 * training changed, and what natural training changed where both point the same way. For each tensor
 * `old + (1 - beta) (adversarial - old) + beta max(0, cos(adversarial - old, natural - old)) (natural - old)`.
 * @param models `old` before the epoch; `natural` after an epoch of natural training from there, with the same names and shapes;
 *   `adversarial` after an epoch of RAMP from there
 * @param beta share of what natural training changed
 * @returns new tensors, the caller's; a tensor that neither changed stays
 */
export function fuseModels(
  models: { old: NamedTensors; natural: NamedTensors; adversarial: NamedTensors },
  beta: number,
): Map<string, tf.Tensor> {
  const { old, natural, adversarial } = models;
  const fused = [...old].map(([name, before]) => {
    const value = tf.tidy(() => {
      const [ours, theirs] = [tf.sub(adversarial.get(name)!, before), tf.sub(natural.get(name)!, before)];
      const length = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x)));
      const cosine = tf.divNoNan(tf.sum(tf.mul(ours, theirs)), tf.mul(length(ours), length(theirs)));
      return tf.addN([before, tf.mul(1 - beta, ours), tf.mul(tf.mul(beta, tf.relu(cosine)), theirs)]);
    });
    return [name, value] as const;
  });
  return new Map(fused);
}
