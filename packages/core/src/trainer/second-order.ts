import * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { Classifier } from '../classifier/index.js';
import type { Crafted, Objective } from '../hooks/index.js';
import { oneHotLabels } from '../loss/index.js';
import type { LossGradients } from './gradients.js';

/**
 * Adds the terms that are differentiated twice: their weighted means to the loss, their gradients to those of the parameters. What
 * `first` holds of both is given up.
 */
export function secondOrderGradients(
  first: LossGradients,
  of: { model: Classifier; objective: Objective; batch: Batch; crafted: Crafted },
): LossGradients {
  const { model, objective, batch, crafted } = of;
  const terms = objective.secondOrder!;
  let values!: tf.Tensor1D;
  const { value, grads } = tf.variableGrads(() => {
    const given = {
      batch,
      y: batch.targets ?? oneHotLabels(batch.labels, model.classes),
      logits: (images: tf.Tensor4D) => model.taped(images, 'batch'),
      point: (role: string) => (role === 'natural' ? batch.images : crafted.points[role]!),
      fact: (name: string) => crafted.facts![name]!,
    };
    const means = terms.map((term) => tf.mean(term.values(given)));
    const total = tf.addN(means.map((mean, i) => tf.mul(terms[i]!.weight, mean)));
    values = tf.keep(tf.stack([total, ...means]) as tf.Tensor1D);
    return total as tf.Scalar;
  }, [...model.parameters.values()]);
  value.dispose();
  const names = new Map([...model.parameters].map(([name, variable]) => [variable.name, name]));
  const gradients = new Map(first.gradients);
  for (const [variable, gradient] of Object.entries(grads)) {
    const name = names.get(variable)!;
    const before = gradients.get(name);
    gradients.set(name, before ? tf.add(before, gradient) : gradient);
    if (before) tf.dispose([before, gradient]);
  }
  const all = tf.tidy(() => {
    const [total, extra] = [tf.slice(first.values, 0, 1), tf.slice(values, 0, 1)];
    return tf.concat([tf.add(total, extra), tf.slice(first.values, 1), tf.slice(values, 1)]) as tf.Tensor1D;
  });
  tf.dispose([first.values, values]);
  return { ...first, values: all, gradients };
}

/**
 * Differentiates a gradient of the model once, on two blank images, where an objective will have to.
 * @throws BulwarkError MODEL_INVALID if the model has ops, or the engine kernels, that cannot be differentiated twice
 */
export function checkSecondOrder(model: Classifier, { name, secondOrder = [] }: Objective): void {
  const [term] = secondOrder;
  if (!term) return;
  try {
    tf.tidy(() => {
      const outputs = (x: tf.Tensor) => tf.sum(tf.square(model.taped(x as tf.Tensor4D, 'batch')));
      const images = tf.fill([2, ...model.inputShape], 0.5);
      tf.variableGrads(() => tf.sum(tf.square(tf.grad(outputs)(images))) as tf.Scalar, [...model.parameters.values()]);
    });
  } catch (error) {
    throw new BulwarkError(
      'MODEL_INVALID',
      `${name ?? 'the objective'}: its ${term.name} term differentiates a gradient, which the model ${model.name} cannot on the engine ${tf.getBackend()} (${(error as Error).message})`,
      {
        hint: 'choose another model, engine: wasm, or a method such as elle that does without',
        cause: error,
      },
    );
  }
}
