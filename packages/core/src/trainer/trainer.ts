import { countOf, disposeBatch, takeExamples } from '../batch.js';
import { BulwarkError } from '../errors.js';
import { letOthersRun } from '../event-loop.js';
import { permutationSampler, type EpochMetrics, type RawBatch } from '../hooks/index.js';
import { anyRank, hostSums } from '../collective/index.js';
import { createRandom } from '../random.js';
import { withAverage } from './averaging.js';
import { agreeing } from './drift.js';
import { DrawnAhead } from './drawn-ahead.js';
import type { CheckpointKind } from './events.js';
import { chanceAccuracy, checkCollapse, checkFinite, mayRollBack, rollbackTarget, type GuardOptions } from './guard.js';
import { addToSums, epochMeans, readNumbers } from './measure.js';
import { findFall, overfittingError, overfittingOf, overfittingText } from './overfitting.js';
import { createPipeline } from './pipeline.js';
import { snapshotOfFirst, storeOfFirst } from './ranks.js';
import { shareOf, type Share } from './share.js';
import { initialState, memoryStore, restoreSnapshot, takeSnapshot, type Snapshot } from './snapshot.js';
import { disposeOutcome, trainStep } from './step.js';
import type { TrainerOptions, TrainerParts, TrainingResult } from './trainer-parts.js';

/** A batch, or this process's share of it. */
interface Prepared {
  readonly raw: RawBatch;
  readonly share?: Share;
}

const stopAtOnce: GuardOptions = {
  onFailure: 'stop',
  factor: 1,
  retries: 0,
  collapse: { epochs: 0, margin: 0 },
  overfitting: { action: 'warn', share: 0 },
};

/** Trains until the last epoch or until `signal` is aborted, which finishes the step and writes a checkpoint. */
export async function train(
  parts: TrainerParts,
  options: TrainerOptions,
  control: { signal?: AbortSignal; resumeFrom?: Snapshot } = {},
): Promise<TrainingResult> {
  const { model, data, objective, optimizer, schedule, average, bus, callbacks, collective } = parts;
  const { seed, epochs, batchSize, accumulate, craftDtype, clipNorm, synchronised, guard = stopAtOnce } = options;
  const { signal } = control;
  const resumeFrom = snapshotOfFirst(collective, control.resumeFrom);
  const keeps = collective !== undefined || mayRollBack(guard);
  const store = storeOfFirst(collective, parts.store ?? (keeps ? memoryStore() : undefined));
  const stopped = () => (collective ? anyRank(collective, signal?.aborted ?? false) : signal?.aborted);
  const sampler = data.sampler?.({ batchSize }) ?? permutationSampler(countOf(data.train), { batchSize });
  const replays = objective.replays ?? 1;
  const stepsPerEpoch = sampler.batchesPerEpoch * replays;
  const pipeline = createPipeline({
    set: data.train,
    classes: model.classes,
    augmentations: parts.augmentations,
    seed,
  });
  const seesWhole = objective.afterStep !== undefined;
  const sums = parts.sums ?? (collective && hostSums(collective));
  const prepareBatch = (indices: Int32Array, position: { epoch: number; step: number }): Prepared => {
    if (!collective) return { raw: pipeline.prepare(indices, position) };
    const { labels } = data.train;
    return shareOf(indices, position, {
      ...{ collective, sums: sums!, accumulate, synchronised, pipeline, labels, seesWhole },
    });
  };
  const chance = chanceAccuracy(data.train);

  const draws = new DrawnAhead(seed);
  let state = initialState({ seed, fingerprint: options.fingerprint });
  const goOnFrom = (snapshot: Snapshot) => {
    restoreSnapshot(snapshot, parts);
    state = structuredClone(snapshot.state);
  };

  let savedAt = 0;
  const save = async (...kinds: CheckpointKind[]) => {
    if (!store) return;
    const began = Date.now();
    // all take one at the ends of epochs, where ranks are compared; in between it is rank 0's business
    if (collective && collective.rank > 0 && !kinds.includes('epoch')) return;
    const snapshot = await takeSnapshot(state, parts);
    const agreed = collective && kinds.includes('epoch') ? agreeing(collective, snapshot, parts) : snapshot;
    store.save(kinds, agreed);
    savedAt = Date.now();
    bus.emit('checkpoint', { kinds, epoch: state.epoch, step: state.step, seconds: (savedAt - began) / 1000 });
  };

  /** What a callback stops the run with, once the state that it stops at is saved. */
  const saving = async (told: Promise<void> | undefined) => {
    try {
      await told;
    } catch (error) {
      await save('last');
      throw error;
    }
  };

  const learningRateAt = (step: number) =>
    optimizer.learningRate *
    state.learningRateScale *
    schedule.factor({ epoch: state.epoch, epochs, step, stepsPerEpoch });

  const runStep = async ({ raw, share }: Prepared, prepareNext: () => Prepared | undefined) => {
    const began = performance.now();
    const batch = pipeline.toTensors(raw);
    const { epoch, step } = state;
    const learningRate = learningRateAt(step);
    const random = draws.random(`attack/${epoch}/${step}`);
    const progress = (epoch + step / stepsPerEpoch) / epochs;
    const context = { model, threat: parts.threat, random, epoch, epochs, progress };
    const momentum = schedule.momentum?.({ epoch, epochs, step, stepsPerEpoch });
    const { statisticsMomentum: shares } = options;
    const statisticsMomentum = (state.steps === 0 ? shares?.first : undefined) ?? shares?.momentum;
    const outcome = trainStep(batch, {
      ...{ ...parts, learningRate, momentum, clipNorm, statisticsMomentum, context, accumulate, craftDtype, share },
    });
    const next = prepareNext(); // while an asynchronous engine still works
    const numbers = await readNumbers(outcome, { batch, objective, model, share });
    sums?.check();
    const examples = share?.total ?? raw.labels.length;
    disposeOutcome(outcome);
    disposeBatch(batch);
    checkFinite(numbers, { ...state, objective: objective.name });
    average?.afterStep(model);
    addToSums(state.epochSums, numbers, examples);
    state.step++;
    state.steps++;
    const { loss, terms, train: measured } = numbers;
    const place = { epoch: epoch + 1, epochs, step: state.step, stepsPerEpoch };
    const seconds = (performance.now() - began) / 1000;
    const report = { ...place, loss, terms, learningRate, examples, seconds };
    bus.emit('step', report);
    await saving(callbacks?.step({ ...report, position: state.steps, train: measured }));
    return next;
  };

  /** The training images in their order, without augmentation. */
  function* trainingImages() {
    for (let from = 0; from < countOf(data.train); from += batchSize) {
      const size = Math.min(batchSize, countOf(data.train) - from);
      const batch = takeExamples(
        data.train,
        Int32Array.from({ length: size }, (_, i) => from + i),
      );
      batch.labels.dispose();
      yield batch.images;
    }
  }

  /** Tells once of each loss of robustness. @throws BulwarkError ROBUSTNESS_LOST, if training shall not go on */
  const checkOverfitting = async () => {
    const { action, share } = guard.overfitting;
    const { overfitting = [], history } = state;
    const fall = findFall(history, share);
    if (!fall || overfitting.some(({ epoch, rolledBack }) => !rolledBack && epoch >= fall.since)) return;
    const measured =
      fall.singleStep ?? (await withAverage(model, average, async () => parts.underSingleStep?.(signal)));
    const lost = measured === undefined ? undefined : overfittingOf(fall, measured);
    if (!lost) return;
    const event = action === 'rollback' ? { ...lost, rolledBack: true } : lost;
    state.overfitting = [...overfitting, event];
    const message = overfittingText(lost);
    bus.emit('overfitting', { ...event, message });
    if (action !== 'warn') throw overfittingError(lost);
    bus.emit('warning', { message: `${message}; training goes on, as guard.overfitting.action is warn` });
  };

  const finishEpoch = async (seconds: number) => {
    const means = epochMeans(state.epochSums);
    const { examples } = state.epochSums;
    const learningRate = learningRateAt(0);
    const epoch = state.epoch + 1;
    objective.afterEpoch?.({ epoch: state.epoch, epochs, model });
    await average?.afterEpoch(model, {
      epoch,
      batches: trainingImages,
      validate: () => parts.validateByClass!(signal),
    });
    const due = parts.validate && (epoch % options.validateEvery === 0 || epoch === epochs);
    const validation = due ? await withAverage(model, average, () => parts.validate!(state.epoch, signal)) : undefined;
    const metrics: EpochMetrics = {
      epoch,
      steps: state.steps,
      learningRate,
      ...means,
      ...(validation && { validation }),
    };
    Object.assign(state, { epoch, step: 0, epochSums: { examples: 0, sums: {} } });
    state.history.push(metrics);
    bus.emit('epoch:end', { metrics, seconds, examples });
    checkCollapse(state.history, chance, guard);
    await checkOverfitting();
    const value = options.selectBest === undefined ? undefined : validation?.[options.selectBest];
    // of equal ones the later wins, as in the reference
    const better = value !== undefined && value >= (state.best?.value ?? -1);
    if (better) state.best = { epoch, value, metric: options.selectBest! };
    await save('last', 'epoch', ...(better ? (['best'] as const) : []));
    const { history, best } = state;
    await callbacks?.epoch({ metrics, history, ...(best && { best }), seconds, examples });
  };

  /** Trains to the end of the epoch. @returns whether it got there */
  const runEpoch = async (): Promise<boolean> => {
    const { epoch } = state;
    const began = performance.now();
    const batches = sampler.epoch(createRandom(seed, `shuffling/${epoch}`));
    let known: { at: number; prepared: Prepared } | undefined;
    const prepare = (step: number) => {
      if (step >= stepsPerEpoch) return undefined;
      const at = Math.floor(step / replays);
      if (known?.at !== at) known = { at, prepared: prepareBatch(batches[at]!, { epoch, step: at }) };
      return known.prepared;
    };
    let prepared = prepare(state.step);
    while (prepared) {
      prepared = await runStep(prepared, () => {
        const next = prepare(state.step + 1);
        if (next) draws.draw(`attack/${epoch}/${state.step + 1}`);
        return next;
      });
      await letOthersRun();
      if (stopped()) return false;
      if (Date.now() - savedAt > options.checkpointSeconds * 1000) await save('last');
    }
    try {
      await finishEpoch((performance.now() - began) / 1000);
    } catch (error) {
      // in the middle of a validation, which is made again; several ranks have agreed on that
      if (collective ? isStop(error) : signal?.aborted) return false;
      throw error;
    }
    return true;
  };

  const resultOf = (reason: TrainingResult['reason']): TrainingResult => {
    const { history, best, rollbacks, overfitting } = state;
    return { reason, history, best, rollbacks, ...(overfitting && { overfitting }) };
  };

  if (resumeFrom) goOnFrom(resumeFrom);
  const resumedAt = resumeFrom && { epoch: state.epoch, step: state.step };
  bus.emit('run:start', { epochs, stepsPerEpoch, resumedAt });
  await callbacks?.start({ epochs, stepsPerEpoch, ...(resumedAt && { resumedAt }), history: state.history });
  if (resumeFrom) savedAt = Date.now();
  else await save('last', 'epoch');
  while (state.epoch < epochs) {
    try {
      if (await runEpoch()) continue;
      await save('last');
      bus.emit('run:end', { reason: 'interrupted', epoch: state.epoch });
      return resultOf('interrupted');
    } catch (error) {
      const target = rollbackTarget(error, state, guard);
      const { learningRateScale, rollbacks, overfitting } = state;
      goOnFrom(store!.load(target));
      Object.assign(state, {
        learningRateScale: learningRateScale * guard.factor,
        rollbacks: rollbacks + 1,
        overfitting,
      });
      await save('last', 'epoch');
      const reason = (error as Error).message;
      bus.emit('rollback', { epoch: state.epoch + 1, learningRateScale: state.learningRateScale, reason });
      await callbacks?.rollback({ epoch: state.epoch + 1, reason });
    }
  }
  bus.emit('run:end', { reason: 'finished', epoch: state.epoch });
  return resultOf('finished');
}

/** What a validation throws on all ranks when one of them was asked to stop. */
export const isStop = (error: unknown): boolean => error instanceof BulwarkError && error.code === 'INTERRUPTED';
