import { counted } from '../counted.js';
import type { ImageSet } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { EpochMetrics } from '../hooks/index.js';
import type { StepNumbers } from './measure.js';
import type { OverfittingOptions } from './overfitting.js';
import type { TrainingState } from './snapshot.js';

/** What happens when training fails, and what counts as failing besides numbers that are not finite. */
export interface GuardOptions {
  /** `rollback`: go back to the last good checkpoint with a lower learning rate. */
  readonly onFailure: 'stop' | 'rollback';
  /** Multiplies the learning rate for the rest of the run at every rollback. */
  readonly factor: number;
  /** Rollbacks in the whole run; the next failure stops it. */
  readonly retries: number;
  readonly collapse: {
    /** Epochs in a row at chance accuracy that count as collapsed; 0 for never. */
    readonly epochs: number;
    /** Share of the way from chance to 1 that still counts as chance. */
    readonly margin: number;
  };
  readonly overfitting: OverfittingOptions;
}

const list = (values: Readonly<Record<string, number>>) =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(', ');

/** Which number went first, in words; undefined if all are finite. */
function whatBroke({ loss, terms, train, weights }: StepNumbers): string | undefined {
  const broken = (values: Readonly<Record<string, number>>) =>
    Object.keys(values).filter((name) => !Number.isFinite(values[name]));
  const [term] = broken(terms);
  if (term !== undefined) {
    const roles = broken(train).map((name) => name.split('.')[0]!);
    const outputs =
      roles.length > 0 ? `, first seen in the outputs at the ${[...new Set(roles)].join(' and ')} point` : '';
    return `the ${term} term is ${terms[term]}${outputs} (${list(terms)})`;
  }
  if (!Number.isFinite(loss)) return `the loss is ${loss}, the sum of finite terms (${list(terms)})`;
  const [weight] = broken(weights);
  if (weight !== undefined)
    return `the update made ${weight} ${weights[weight]} although every term was finite (${list(terms)}): a gradient overflowed`;
  return undefined;
}

/** @throws BulwarkError LOSS_NOT_FINITE, naming the method and the term that went first */
export function checkFinite(numbers: StepNumbers, at: { epoch: number; step: number; objective?: string }): void {
  const what = whatBroke(numbers);
  if (what === undefined) return;
  const method = at.objective === undefined ? '' : `${at.objective}: `;
  throw new BulwarkError('LOSS_NOT_FINITE', `${method}${what} in epoch ${at.epoch + 1}, step ${at.step + 1}`, {
    hint: 'lower the learning rate or beta; the last checkpoint is still good: --resume RUN --set guard.onFailure=rollback',
  });
}

/** The accuracy of always answering the most frequent label. */
export function chanceAccuracy({ labels }: ImageSet): number {
  const counts = new Map<number, number>();
  for (const label of labels) if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  const all = [...counts.values()];
  return all.length === 0 ? 0 : Math.max(...all) / all.reduce((sum, n) => sum + n, 0);
}

/** The highest training accuracy of an epoch, over the points that it trains on. */
const accuracyOf = ({ train }: EpochMetrics): number =>
  Math.max(...Object.entries(train).map(([name, value]) => (name.endsWith('.accuracy') ? value : 0)));

/** @throws BulwarkError TRAINING_COLLAPSED if the last epochs were all at chance accuracy */
export function checkCollapse(history: readonly EpochMetrics[], chance: number, options: GuardOptions): void {
  const { collapse } = options;
  if (collapse.epochs === 0 || chance === 0 || chance === 1) return;
  const limit = chance + collapse.margin * (1 - chance);
  const lastGood = history.findLast((epoch) => accuracyOf(epoch) > limit)?.epoch ?? 0;
  if (history.length - lastGood < collapse.epochs) return;
  const accuracy = (100 * accuracyOf(history.at(-1)!)).toFixed(1);
  const since =
    lastGood === 0
      ? `never rose above chance in ${counted(history.length, 'epoch')}`
      : `has been at chance since epoch ${lastGood + 1}`;
  throw new BulwarkError(
    'TRAINING_COLLAPSED',
    `training accuracy ${since}: ${accuracy}%, where always answering the most frequent label gives ${(100 * chance).toFixed(1)}%`,
    { hint: 'lower the learning rate, beta or epsilon; guard.collapse sets how long this is tolerated' },
  );
}

/** Whether any failure leads to a rollback. */
export const mayRollBack = ({ onFailure, overfitting }: GuardOptions): boolean =>
  onFailure === 'rollback' || overfitting.action === 'rollback';

/**
 * Where to go back to after a failure: the start of the epoch for numbers that are not finite and for lost robustness, the best checkpoint
 * from before a collapse.
 * @throws the error itself, if the guard does not allow a rollback or there is nothing to go back to
 */
export function rollbackTarget(error: unknown, state: TrainingState, options: GuardOptions): 'epoch' | 'best' {
  const code = error instanceof BulwarkError ? error.code : undefined;
  const failed = code === 'LOSS_NOT_FINITE' || code === 'TRAINING_COLLAPSED';
  const allowed = failed
    ? options.onFailure === 'rollback'
    : code === 'ROBUSTNESS_LOST' && options.overfitting.action === 'rollback';
  if (!allowed) throw error;
  const { message } = error as BulwarkError;
  if (state.rollbacks >= options.retries)
    throw new BulwarkError(code!, `${message}; given up after ${state.rollbacks} rollbacks`, {
      hint: 'train again with a lower learning rate; the last checkpoint is still good',
      cause: error,
    });
  if (code !== 'TRAINING_COLLAPSED') return 'epoch';
  const healthy = state.history.length - options.collapse.epochs;
  if (!state.best || state.best.epoch > healthy) throw error;
  return 'best';
}
