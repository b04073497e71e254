import {
  norms,
  type Batch,
  type BatchStatistics,
  type Classifier,
  type CraftObservation,
  type Objective,
  type Optimizer,
  type Role,
  type WeightPerturber,
} from '@bulwark/core';
import { termNames } from '@bulwark/core/hooks';
import { createEma, createSgd, disposeOutcome, emaDecay, trainStep } from '@bulwark/core/trainer';
import type * as tf from '@tensorflow/tfjs-core';
import type { Golden } from '../golden.js';
import type { Method } from './method.js';
import { recordedNoise } from './noise.js';

export type Values = Float32Array | Int32Array;
export type Named = ReadonlyMap<string, Values>;

/** One update of an attack as numbers. */
export interface RecordedUpdate {
  readonly points: Readonly<Record<string, Values>>;
  readonly loss: Values;
  readonly choice?: { readonly upper: Values; readonly lower: Values };
}

/** Everything one training step computed, as numbers. */
export interface RecordedStep {
  readonly total: number;
  /** Means of the loss terms by name. */
  readonly terms: ReadonlyMap<string, number>;
  readonly points: Named;
  readonly facts: Named;
  readonly logits: ReadonlyMap<Role, { readonly values: Values; readonly shape: readonly number[] }>;
  readonly gradients: Named;
  /** Weight offsets as they were made, before they are scaled back by gamma. */
  readonly offsets: Named;
  readonly updates: readonly RecordedUpdate[];
  readonly parameters: Named;
  /** Running statistics after the outer passes, and after everything. */
  readonly statisticsAfterLoss: Named;
  readonly statistics: Named;
  /** Number of times that running statistics were updated until then. */
  readonly statisticsUpdates: number;
  readonly noiseLeft: number;
  /** What the method carried into the step, after it, and after an epoch that ended with it. */
  readonly stateBefore: Named;
  readonly stateAfter: Named;
  readonly valuesBefore: unknown;
  readonly stateNext: Named;
  readonly learningRate: number;
  readonly momentum: number | undefined;
  /** The moving average after the step, and after an epoch that ended with it, and the share of the old one. */
  readonly average: Named;
  readonly emaDecay: number;
  /** The batch, for cases that mix it. */
  readonly images: Values;
  readonly targets: Values | undefined;
  /** Parameters, running statistics and the number of their updates of the companion. */
  readonly companion?: { readonly parameters: Named; readonly statistics: Named; readonly updates: number };
}

const read = (tensor: tf.Tensor): Values => tensor.dataSync().slice() as Values;
const readAll = (tensors: Iterable<readonly [string, tf.Tensor]>): Named =>
  new Map([...tensors].map(([name, tensor]) => [name, read(tensor)]));

const recordUpdate = ({ points, loss, choice }: CraftObservation): RecordedUpdate => ({
  points: Object.fromEntries(Object.entries(points).map(([role, point]) => [role, read(point)])),
  loss: read(loss),
  ...(choice && { choice: { upper: read(choice.upper), lower: read(choice.lower) } }),
});

/** Makes the training steps of a case, one after the other, through the trainer's own step. */
export interface StepRecorder {
  step(given: StepInput): RecordedStep;
  dispose(): void;
}

/** What one step is made of. */
export interface StepInput {
  readonly batch: Batch;
  readonly noise: readonly Golden[];
  readonly numbers?: readonly number[];
  /** Does an epoch end with it? */
  readonly endsEpoch?: boolean;
}

export interface RecorderParts {
  readonly model: Classifier;
  readonly objective: Objective;
  readonly weightPerturber?: WeightPerturber;
  readonly method: Method;
}

/** Wraps optimizer, perturber and model to see what passes through them; nothing of the step itself is different. */
export function createRecorder({ model, objective: given, weightPerturber, method }: RecorderParts): StepRecorder {
  const sgd = createSgd(method.sgd);
  const { epochs } = method;
  let made = 0;
  let companionUpdates = 0;
  const companion = given.companions?.get('companion');
  const watchedCompanion = companion && {
    ...companion,
    applyStatistics: (statistics: BatchStatistics) => (companionUpdates++, companion.applyStatistics(statistics)),
  };
  const objective: Objective = watchedCompanion
    ? { ...given, companions: new Map([['companion', watchedCompanion]]) }
    : given;
  const average = method.average && createEma(method.average, model);
  const state = () => readAll(objective.state?.save().tensors ?? []);
  let seen: { offsets: Named; afterLoss: Named; statisticsUpdates: number; updatesAfterLoss: number };

  const watchedModel: Classifier = {
    ...model,
    applyStatistics(statistics, momentum) {
      seen.statisticsUpdates++;
      model.applyStatistics(statistics, momentum);
    },
  };
  const watchedOptimizer: Optimizer = {
    ...sgd,
    apply(parameters, gradients, learningRate, schedule) {
      seen.afterLoss = readAll(model.statistics);
      seen.updatesAfterLoss = seen.statisticsUpdates;
      sgd.apply(parameters, gradients, learningRate, schedule);
    },
  };
  const watchedPerturber: WeightPerturber | undefined = weightPerturber && {
    ...weightPerturber,
    perturb(context) {
      const offsets = weightPerturber.perturb(context);
      if (offsets) seen.offsets = readAll(offsets);
      return offsets;
    },
  };

  return {
    step({ batch, noise, numbers, endsEpoch }) {
      const statisticsMomentum = method.statisticsMomenta?.[made];
      const emaShare = method.average ? emaDecay(method.average, made) : 0;
      const epochEnds = method.epochEnds.has(made);
      const epoch = method.epochOf(made);
      const { learningRate, momentum } = method.rates?.(made) ?? {
        learningRate: method.sgd.learningRate,
        momentum: undefined,
      };
      made++;
      companionUpdates = 0;
      const stateBefore = state();
      const valuesBefore = structuredClone(objective.state?.save().values);
      seen = { offsets: new Map(), afterLoss: new Map(), statisticsUpdates: 0, updatesAfterLoss: 0 };
      const { random, left } = recordedNoise(noise, numbers);
      const updates: RecordedUpdate[] = [];
      const outcome = trainStep(batch, {
        model: watchedModel,
        objective,
        weightPerturber: watchedPerturber,
        optimizer: watchedOptimizer,
        learningRate,
        momentum,
        statisticsMomentum,
        context: {
          model: watchedModel,
          threat: { norm: norms.linf, epsilon: method.epsilon },
          random,
          epoch,
          epochs,
          observe: (observation) => updates.push(recordUpdate(observation)),
        },
      });
      const { loss, crafted } = outcome;
      const stateAfter = state();
      average?.afterStep(model);
      const end = { epoch: 1, batches: () => [], validate: () => Promise.resolve([]) };
      if (epochEnds) void average?.afterEpoch(model, end);
      if (endsEpoch) objective.afterEpoch?.({ epoch, epochs, model });
      const [total, ...terms] = read(loss.values);
      const recorded: RecordedStep = {
        total: total!,
        terms: new Map(termNames(objective).map((name, i) => [name, terms[i]!])),
        points: readAll(Object.entries(crafted.points)),
        facts: readAll(Object.entries(crafted.facts ?? {})),
        logits: new Map([...loss.logits].map(([role, z]) => [role, { values: read(z), shape: z.shape }])),
        gradients: readAll(loss.gradients),
        offsets: seen.offsets,
        updates,
        parameters: readAll(model.parameters),
        statisticsAfterLoss: seen.afterLoss,
        statistics: readAll(model.statistics),
        statisticsUpdates: seen.updatesAfterLoss,
        noiseLeft: left(),
        stateBefore,
        valuesBefore,
        stateAfter,
        stateNext: state(),
        learningRate,
        average: readAll(average?.state.save().tensors ?? []),
        emaDecay: emaShare,
        images: read(batch.images),
        targets: batch.targets && read(batch.targets),
        momentum: momentum ?? method.sgd.momentum,
        ...(companion && {
          companion: {
            parameters: readAll(companion.parameters),
            statistics: readAll(companion.statistics),
            updates: companionUpdates,
          },
        }),
      };
      disposeOutcome(outcome);
      return recorded;
    },
    dispose() {
      sgd.dispose();
      average?.dispose();
    },
  };
}
