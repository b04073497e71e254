import * as tf from '../tensor/index.js';
import { disposeBatch, type Batch } from '../batch.js';
import {
  disposeStatistics,
  logitsOf,
  withBatchRanks,
  withComputeDtype,
  withStatisticsMomentum,
  type Classifier,
} from '../classifier/index.js';
import type { ComputeDtype, Gradients } from '../network/index.js';
import {
  termNames,
  type CraftContext,
  type Crafted,
  type Objective,
  type Optimizer,
  type Role,
  type WeightPerturber,
} from '../hooks/index.js';
import { BulwarkError } from '../errors.js';
import { randomOfPart } from '../random.js';
import { batchGradients, cutBatch, joinedCrafted, splitBatch, type BatchGradients, type Part } from './accumulate.js';
import { applyPassStatistics, trainedParameters } from './companions.js';
import { viewsOf } from './gradients.js';
import { clipGradients } from './clip.js';
import { atPerturbedWeights, disposeGradients } from './perturbed.js';
import { gatheredStatistics, inRankOrder } from './rank-statistics.js';
import { gatheredRows, type Share } from './share.js';

/** Everything one step works with. */
export interface StepSetup {
  readonly model: Classifier;
  readonly objective: Objective;
  readonly weightPerturber?: WeightPerturber;
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  /** Where the schedule moves it; default: the optimizer's own. */
  readonly momentum?: number;
  /** Share of each batch in the running statistics; default: that of the layers. */
  readonly statisticsMomentum?: number;
  /** Largest Euclidean length of all gradients together, decay not included; longer ones are scaled down. Default: none. */
  readonly clipNorm?: number;
  readonly context: CraftContext;
  /** Work through the batch in this many parts, for batches that do not fit into memory at once; default 1. */
  readonly accumulate?: number;
  /** What the passes of the attack compute in, where the engine can; all others compute in float32. */
  readonly craftDtype?: ComputeDtype;
  /** What this process has of the batch, where several train together: then the batch given is its share. */
  readonly share?: Share;
}

/**
 * What one step found out, as tensors; `disposeOutcome` frees them. Of several processes, value and gradients are those of the whole batch,
 * the same on each; logits, points and facts are of the own examples.
 */
export interface StepOutcome {
  readonly loss: BatchGradients;
  readonly crafted: Crafted;
}

/**
 * One training step: craft, perturb, differentiate, restore, update. With weight perturbation, the gradient and the weight decay are
 * those at the perturbed weights; the update is applied to the restored ones.
 */
export function trainStep(batch: Batch, given: StepSetup): StepOutcome {
  const setup = overBatchRanks(withMomentum(given));
  const { objective, optimizer, learningRate, momentum, accumulate = 1, share } = setup;
  const split = accumulate > 1;
  const parts = split ? (share ? cutBatch(batch, share.cuts) : splitBatch(batch, accumulate)) : [batch];
  const { loss, crafted, gradients } = stepGradients(parts, setup);
  optimizer.apply(trainedParameters(setup), gradients, learningRate, { momentum });
  disposeGradients(gradients);
  for (let again = 1; again < (objective.updates ?? 1); again++) {
    const decayed = optimizer.decayed(loss.gradients, trainedParameters(setup));
    optimizer.apply(trainedParameters(setup), decayed, learningRate, { momentum });
    disposeGradients(decayed);
  }
  forwardInTrainMode(setup, parts, objective.passesAfter);
  tellObjective(batch, setup, { loss, crafted });
  if (split) parts.forEach(disposeBatch);
  return { loss, crafted };
}

/** The setup with a model whose running statistics move as the setup says, for attacks and outer passes alike. */
function withMomentum({ statisticsMomentum, ...setup }: StepSetup): StepSetup {
  const moving = (model: Classifier) => withStatisticsMomentum(model, statisticsMomentum);
  return { ...setup, model: moving(setup.model), context: { ...setup.context, model: moving(setup.context.model) } };
}

/** The setup with a model and companions that normalise with the whole batch, if its share says so. */
function overBatchRanks(setup: StepSetup): StepSetup {
  const { ranks } = setup.share ?? {};
  if (!ranks) return setup;
  const { model, context, objective } = setup;
  const over = (each: Classifier) => withBatchRanks(each, ranks);
  const companions = new Map([...(objective.companions ?? [])].map(([name, each]) => [name, over(each)]));
  return {
    ...setup,
    model: over(model),
    context: { ...context, model: over(context.model) },
    objective: Object.create(objective, { companions: { value: companions } }) as Objective,
  };
}

/** Shows the objective what the step found in the whole batch. */
function tellObjective(batch: Batch, setup: StepSetup, { loss, crafted }: StepOutcome): void {
  const { model, objective, context, share } = setup;
  if (!objective.afterStep) return;
  const names = termNames(objective);
  tf.tidy(() => {
    const whole = <T extends tf.Tensor>(own: T): T => (share ? gatheredRows(own, share) : own);
    const facts = crafted.facts && Object.fromEntries(Object.entries(crafted.facts).map(([k, own]) => [k, whole(own)]));
    const logits = new Map([...loss.logits].map(([role, own]) => [role, whole(own)]));
    const images = new Map([...loss.images].map(([role, own]) => [role, whole(own)]));
    const all = share ? share.whole() : batch;
    objective.afterStep!({
      ...viewsOf({ batch: all, classes: model.classes, place: context, facts, logits }),
      threat: context.threat,
      term: (name) => tf.reshape(tf.slice(loss.values, 1 + names.indexOf(name), 1), []) as tf.Scalar,
      imageGradient: (role) => images.get(role)!,
    });
  });
}

/** The step without its update: gradients with weight decay (the caller's), running statistics updated, weights as before. */
export function stepGradients(batches: readonly Batch[], setup: StepSetup): StepOutcome & { gradients: Gradients } {
  const { model, objective, optimizer, share } = setup;
  forwardInTrainMode(setup, batches, objective.passesBefore);
  const parts = craft(batches, setup); // 1 off the tape
  const offsets = perturbation(parts, setup); // 2 where to differentiate
  const { loss, gradients } = atPerturbedWeights(model, offsets, () => {
    const result = batchGradients({ model, objective, parts, place: setup.context, share }); // 3 passes and loss
    const clipped = clipGradients(result.gradients, setup.clipNorm);
    const gradients = optimizer.decayed(clipped, trainedParameters(setup));
    const statistics = share ? gatheredStatistics(result.statistics, share) : result.statistics;
    return { loss: { ...result, gradients: clipped, statistics }, gradients };
  }); // 4 weights restored from copies
  disposeGradients(offsets);
  for (const statistics of loss.statistics)
    for (const { role, updatesStatistics } of objective.passes)
      if (updatesStatistics) applyPassStatistics(setup, role, statistics.get(role)!);
  return { loss, crafted: joinedCrafted(parts.map(({ crafted }) => crafted)), gradients };
}

/** The parts with their neighbours. Noise belongs to examples: however a batch is cut, each gets what it would get in the whole. */
function craft(batches: readonly Batch[], { objective, craftDtype, share, ...setup }: StepSetup): Part[] {
  const { random } = setup.context;
  const start = random.state();
  const total = share?.total ?? batches.reduce((sum, { labels }) => sum + labels.size, 0);
  return inRankOrder(setup.context.model, share, (moving) => {
    const model = craftDtype ? withComputeDtype(moving, craftDtype) : moving;
    let offset = share?.from ?? 0;
    return batches.map((batch, at) => {
      const count = batch.labels.size;
      if (at > 0) random.restore(start);
      const own = randomOfPart(random, { from: offset, count, total });
      const context = { ...setup.context, model, random: own, offset };
      const radii = radiiOf(objective, batch, setup.context);
      const crafted = objective.inner.craft(
        batch,
        radii ? { ...context, threat: { ...context.threat, radii } } : context,
      );
      radii?.dispose();
      offset += count;
      return { batch, crafted };
    });
  });
}

/** The radius of each example of a part, where the method gives one; the caller's. */
function radiiOf(objective: Objective, batch: Batch, context: CraftContext): tf.Tensor4D | undefined {
  if (!objective.radii) return undefined;
  return tf.tidy(() => {
    const radii = objective.radii!(batch, context);
    const count = batch.labels.shape[0];
    if (radii.shape.join() !== String(count))
      throw new BulwarkError(
        'OBJECTIVE_INVALID',
        `${objective.name}: radii have the shape [${radii.shape}] where there are ${count} examples`,
        { hint: 'return one radius per example of the batch that radii is given, [batch]' },
      );
    return tf.reshape(radii, [-1, 1, 1, 1]) as tf.Tensor4D;
  });
}

function perturbation(parts: readonly Part[], setup: StepSetup): Gradients | undefined {
  const { model, objective, weightPerturber, context, share } = setup;
  return weightPerturber?.perturb({
    model,
    epoch: context.epoch,
    gradients: ({ offsets, reduction } = {}) =>
      atPerturbedWeights(model, offsets, () => {
        const result = batchGradients({ model, objective, parts, place: context, reduction, share });
        disposeLoss(result, { keepGradients: true });
        return ofModel(model, result.gradients);
      }),
  });
}

/** Without the gradients of companions, whose weights are not perturbed. */
function ofModel(model: Classifier, gradients: Gradients): Gradients {
  const [own, others] = [new Map<string, tf.Tensor>(), new Map<string, tf.Tensor>()];
  for (const [name, gradient] of gradients) (model.parameters.has(name) ? own : others).set(name, gradient);
  disposeGradients(others);
  return own;
}

function forwardInTrainMode(
  { model, share }: Pick<StepSetup, 'model' | 'share'>,
  parts: readonly Batch[],
  roles: readonly Role[] = [],
): void {
  for (const _role of roles)
    inRankOrder(model, share, (moving) => {
      for (const { images } of parts) logitsOf(moving, images, 'train').dispose();
    });
}

function disposeLoss(loss: BatchGradients, options: { keepGradients?: boolean } = {}): void {
  loss.values.dispose();
  for (const statistics of loss.statistics) statistics.forEach(disposeStatistics);
  loss.logits.forEach((logits) => logits.dispose());
  loss.images.forEach((gradient) => gradient.dispose());
  if (!options.keepGradients) disposeGradients(loss.gradients);
}

/** Frees what a step returned. */
export function disposeOutcome(outcome: StepOutcome): void {
  disposeLoss(outcome.loss);
  tf.dispose([...Object.values(outcome.crafted.points), ...Object.values(outcome.crafted.facts ?? {})]);
}
