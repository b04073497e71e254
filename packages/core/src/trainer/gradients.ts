import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../batch.js';
import { keepStatistics, logitGradients, type Classifier } from '../classifier/index.js';
import type { BatchStatistics, Gradients } from '../network/index.js';
import type { Crafted, Objective, Reduction, Role, Term, Views } from '../hooks/index.js';

/** The loss of one batch at the current weights, with everything that its passes produced. All tensors are the caller's. */
export interface LossGradients {
  /** The scalar that was differentiated, then each term's mean by name (without its weight), as one tensor `[1 + terms]`. */
  readonly values: tf.Tensor1D;
  readonly gradients: Gradients;
  /** Batch statistics of each outer pass. */
  readonly statistics: ReadonlyMap<Role, BatchStatistics>;
  /** Logits `[batch, classes]` of each outer pass. */
  readonly logits: ReadonlyMap<Role, tf.Tensor2D>;
}

const mean: Reduction = (perExample) => tf.mean(perExample) as tf.Scalar;

/** The one place where per-example terms become a scalar: means over all examples, or over those with a label. */
function scaled(term: Term, views: Views, labelledScale: tf.Scalar): tf.Tensor1D {
  const values = term.values(views);
  return term.over === 'labelled' ? tf.mul(values, labelledScale) : values;
}

/**
 * Number of examples over the number of those with a label: what turns a mean over all into one over these. 1 if none has a label, so
 * that empty sums stay 0. A tensor, since reading labels back would make a GPU wait.
 */
export function labelledScaleOf(batches: readonly Batch[]): tf.Scalar {
  return tf.tidy(() => {
    const labels = tf.concat(batches.map((batch) => batch.labels));
    const count = tf.sum(tf.cast(tf.greaterEqual(labels, 0), 'float32'));
    return tf.div(labels.size, tf.add(count, tf.mul(labels.size, tf.cast(tf.equal(count, 0), 'float32')))) as tf.Scalar;
  });
}

/**
 * Differentiates the objective at the current weights: one forward pass with batch statistics per role, one backward pass. Nothing
 * is written to the model; `statistics` are applied by whoever decides that this pass counts.
 */
export function lossGradients(options: {
  model: Classifier;
  objective: Objective;
  batch: Batch;
  crafted: Crafted;
  reduction?: Reduction;
  /** `labelledScaleOf` what `batch` is a part of; default: of the batch. */
  labelledScale?: tf.Scalar;
}): LossGradients {
  const { model, objective, batch, crafted, reduction = mean } = options;
  const labelledScale = options.labelledScale ?? labelledScaleOf([batch]);
  const roles = [...new Set(objective.passes.map(({ role }) => role))];
  const pointOf = (role: Role) => (role === 'natural' ? batch.images : crafted.points[role]!);
  const pass = model.pass(roles.map(pointOf), { mode: 'batch', wrt: 'parameters' });

  let values: tf.Tensor1D | undefined;
  const loss = (...logits: tf.Tensor2D[]) => {
    const views: Views = {
      batch,
      classes: model.classes,
      fact: (name) => crafted.facts![name]!,
      logits: (role) => logits[roles.indexOf(role)]!,
    };
    const terms = objective.terms.map((term) => ({ weight: term.weight, values: scaled(term, views, labelledScale) }));
    const total = reduction(tf.addN(terms.map(({ weight, values: v }) => tf.mul(weight, v))) as tf.Tensor1D);
    values = tf.keep(tf.stack([total, ...terms.map((term) => tf.mean(term.values))]) as tf.Tensor1D);
    return total;
  };
  const { value, dLogits } = logitGradients(pass.logits, loss);
  value.dispose();
  if (!options.labelledScale) labelledScale.dispose();
  const { parameters } = pass.pullback(dLogits);
  tf.dispose(dLogits.filter((gradient) => gradient !== null));

  const kept = {
    values: values!,
    gradients: parameters,
    statistics: new Map(roles.map((role, at) => [role, keepStatistics(pass.statistics[at]!)])),
    logits: new Map(roles.map((role, at) => [role, tf.keep(pass.logits[at]!.clone())])),
  };
  pass.dispose();
  return kept;
}
