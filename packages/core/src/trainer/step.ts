import * as tf from '@tensorflow/tfjs-core';
import type { Batch } from '../batch.js';
import { disposeStatistics, type Classifier } from '../classifier/index.js';
import type { CraftContext, Crafted, Gradients, Objective, Optimizer, WeightPerturber } from '../hooks/index.js';
import { lossGradients, type LossGradients } from './gradients.js';
import { atPerturbedWeights, disposeGradients } from './perturbed.js';

/** Everything one step works with. */
export interface StepSetup {
  readonly model: Classifier;
  readonly objective: Objective;
  readonly weightPerturber?: WeightPerturber;
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  readonly context: CraftContext;
}

/** What one step found out, as tensors; `disposeOutcome` frees them. */
export interface StepOutcome {
  readonly loss: LossGradients;
  readonly crafted: Crafted;
}

/**
 * One training step: craft, perturb, differentiate, restore, update. With weight perturbation, the gradient and the weight decay are
 * those at the perturbed weights; the update is applied to the restored ones.
 */
export function trainStep(batch: Batch, setup: StepSetup): StepOutcome {
  const { model, optimizer, learningRate } = setup;
  const { loss, crafted, gradients } = stepGradients(batch, setup);
  optimizer.apply(model.parameters, gradients, learningRate);
  disposeGradients(gradients);
  forwardInTrainMode(model, batch, setup.objective.passesAfter);
  return { loss, crafted };
}

/** The step without its update: gradients with weight decay (the caller's), running statistics updated, weights as before. */
export function stepGradients(batch: Batch, setup: StepSetup): StepOutcome & { gradients: Gradients } {
  const { model, objective, optimizer, context } = setup;
  forwardInTrainMode(model, batch, objective.passesBefore);
  const crafted = objective.inner.craft(batch, context); // 1 craft, off the tape
  const offsets = perturbation(batch, crafted, setup); // 2 where to differentiate
  const { loss, gradients } = atPerturbedWeights(model, offsets, () => {
    const result = lossGradients({ model, objective, batch, crafted }); // 3 loss, on the tape
    return { loss: result, gradients: optimizer.decayed(result.gradients, model.parameters) };
  }); // 4 weights restored from copies
  disposeGradients(offsets);
  for (const { role, updatesStatistics } of objective.passes)
    if (updatesStatistics) model.applyStatistics(loss.statistics.get(role)!);
  return { loss, crafted, gradients };
}

function perturbation(batch: Batch, crafted: Crafted, setup: StepSetup): Gradients | undefined {
  const { model, objective, weightPerturber, context } = setup;
  return weightPerturber?.perturb({
    model,
    epoch: context.epoch,
    gradients: ({ offsets, reduction } = {}) =>
      atPerturbedWeights(model, offsets, () => {
        const result = lossGradients({ model, objective, batch, crafted, reduction });
        disposeLoss(result, { keepGradients: true });
        return result.gradients;
      }),
  });
}

function forwardInTrainMode(model: Classifier, batch: Batch, roles: Objective['passesAfter']): void {
  for (const _role of roles ?? []) model.forward(batch.images, 'train').dispose();
}

function disposeLoss(loss: LossGradients, options: { keepGradients?: boolean } = {}): void {
  loss.values.dispose();
  loss.statistics.forEach(disposeStatistics);
  loss.logits.forEach((logits) => logits.dispose());
  if (!options.keepGradients) disposeGradients(loss.gradients);
}

/** Frees what a step returned. */
export function disposeOutcome(outcome: StepOutcome): void {
  disposeLoss(outcome.loss);
  tf.dispose([...Object.values(outcome.crafted.points), ...Object.values(outcome.crafted.facts ?? {})]);
}
