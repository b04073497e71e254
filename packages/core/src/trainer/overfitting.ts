import { BulwarkError } from '../errors.js';
import type { EpochMetrics, Overfitting } from '../hooks/index.js';

/** When training counts as catastrophically overfitted, and what happens then. */
export interface OverfittingOptions {
  readonly action: 'warn' | 'stop' | 'rollback';
  /** The accuracy under attacks of several steps falls below this share of its best so far; 0 for never. */
  readonly share: number;
}

/** A fall of accuracy under several steps, of which it is open whether a single step shares it. */
export interface Fall extends Omit<Overfitting, 'singleStep' | 'rolledBack'> {
  /** The first epoch of those in a row in which accuracy was so low. */
  readonly since: number;
  /** Where the validation measures it. */
  readonly singleStep?: number;
}

/** Differences of accuracy that noise on a few hundred images does not make. */
const least = 0.1;

/** Whether an attack of this label makes one step. */
export const isSingleStep = (label: string): boolean => label.startsWith('fgsm');
const trainsOnNeighbours = ({ train }: EpochMetrics) =>
  Object.keys(train).some((name) => name.endsWith('.accuracy') && !name.startsWith('natural.'));

/** The lowest accuracy under an attack of several steps; undefined where none was measured. */
function underSteps({ validation = {} }: EpochMetrics): { attack: string; robust: number } | undefined {
  const measured = Object.entries(validation).filter(([label]) => label !== 'clean' && !isSingleStep(label));
  const [lowest] = measured.sort(([, a], [, b]) => a - b);
  return lowest && { attack: lowest[0], robust: lowest[1] };
}

/**
 * Whether accuracy under attacks of several steps is far below its best, after the last epoch of a history. Models that are trained on the
 * images themselves lose it without overfitting.
 */
export function findFall(history: readonly EpochMetrics[], share: OverfittingOptions['share']): Fall | undefined {
  let best = 0;
  let since: number | undefined;
  let fall: Fall | undefined;
  for (const metrics of history) {
    const now = trainsOnNeighbours(metrics) ? underSteps(metrics) : undefined;
    if (!now) continue;
    const { epoch, validation = {} } = metrics;
    const fell = now.robust < share * best && best - now.robust >= least;
    since = fell ? (since ?? epoch) : undefined;
    const single = Object.keys(validation).find(isSingleStep);
    fall = fell
      ? { epoch, since: since!, ...now, best, ...(single !== undefined && { singleStep: validation[single] }) }
      : undefined;
    best = Math.max(best, now.robust);
  }
  return fall?.epoch === history.at(-1)?.epoch ? fall : undefined;
}

/**
 * Catastrophic overfitting (Wong et al., 2020, section 5.1; arXiv:2001.03994): within an epoch or two a model that is trained on single
 * steps learns to stop these and nothing else. Accuracy under attacks of several steps falls, while that under one step stays far above it;
 * where both fall, it is training itself that fails.
 * @param singleStep accuracy under a single step now
 */
export function overfittingOf({ since: _since, ...fall }: Fall, singleStep: number): Overfitting | undefined {
  return singleStep - fall.robust >= least ? { ...fall, singleStep } : undefined;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** What happened, in one sentence. */
export const overfittingText = ({ epoch, attack, best, robust, singleStep }: Overfitting): string =>
  `catastrophic overfitting in epoch ${epoch}: on validation images, accuracy under ${attack} fell from ${percent(best)} to ${percent(robust)}, while under a single step it is ${percent(singleStep)}`;

/** The same as a reason to stop. */
export const overfittingError = (found: Overfitting): BulwarkError =>
  new BulwarkError('ROBUSTNESS_LOST', overfittingText(found), {
    hint: 'train with more steps or grad-align, or lower epsilon or the step; the last checkpoint is from before: --resume RUN --set guard.overfitting.action=rollback',
  });
