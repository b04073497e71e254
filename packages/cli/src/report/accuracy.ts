import type { EvaluationResult } from '@bulwark/core';
import { unionOf, wilsonInterval } from '@bulwark/core/evaluation';
import { threatText } from '@bulwark/core/threat';
import type { FoundEvaluation, RunRecord } from './read-run.js';
import { radius } from './sections/measured.js';

/** A share of images with its 95 % interval (Wilson, 1927), which says how far chance alone could have moved it. */
export interface Accuracy {
  readonly share: number;
  readonly interval: readonly [number, number];
}

/** One measured robustness of a run: what attacked, how hard, on how many images. */
export interface AccuracyRow {
  readonly run: RunRecord;
  /** Norm and radius that were attacked within, which need not be the run's. */
  readonly threat: string;
  readonly checkpoint: string;
  /** `quick`, `fast`, `full`, `custom`, or `own test` for what the run itself measured at its end. */
  readonly tier: string;
  /** False while attacks are missing: the figures are upper bounds. */
  readonly complete: boolean;
  readonly attacks: readonly string[];
  readonly images: number;
  readonly clean: Accuracy;
  /** Worst case over the attacks, per image; of `own test` the lowest of the attacks. */
  readonly robust: Accuracy;
}

const measured = (share: number, images: number): Accuracy => ({
  share,
  interval: wilsonInterval(Math.round(share * images), images),
});

/** The threat model of one of a run's own figures, `pgd-3`, `pgd-3@l2` or `union`, and the attack. */
function ownFigure(run: RunRecord, label: string): { threat: string; attack: string } {
  const further = run.config.evaluation.threats ?? [];
  if (label === 'union')
    return { threat: `union of ${[radius(run), ...further.map(threatText)].join(', ')}`, attack: label };
  const [attack, norm] = label.split(/@(?=[^@]*$)/) as [string, string?];
  const other = further.find((each) => each.norm === norm);
  return other ? { threat: threatText(other), attack } : { threat: radius(run), attack: label };
}

/** What the run measured of its own checkpoints when it ended. */
function ownRows(run: RunRecord): AccuracyRow[] {
  const { summary } = run;
  if (!summary?.images) return [];
  const { images, best, last } = summary;
  const kinds = best && best.epoch !== last.epoch ? (['best', 'last'] as const) : (['last'] as const);
  return kinds.flatMap((kind) => {
    const { clean, ...attacked } = summary[kind]?.accuracy ?? {};
    const lowest = Object.entries(attacked).sort(([, a], [, b]) => a - b)[0];
    if (clean === undefined || !lowest) return [];
    const { threat, attack } = ownFigure(run, lowest[0]);
    return [
      {
        run,
        threat,
        checkpoint: kinds.length === 1 && best ? 'best = last' : kind,
        tier: summary.split === 'test' ? 'own test' : 'validation',
        complete: true,
        attacks: [attack],
        images,
        clean: measured(clean, images),
        robust: measured(lowest[1], images),
      },
    ];
  });
}

const order = ['full', 'custom', 'fast', 'quick'];

/** The attacks that a figure is the worst case of. */
export const attacksOf = ({ attacks }: EvaluationResult): string[] => [
  ...new Set(attacks.map(({ label, ensemble }) => ensemble ?? label)),
];

/** Evaluations of one checkpoint with the same effort on the same images. */
export const isLike = (a: FoundEvaluation, b: FoundEvaluation): boolean =>
  a.checkpoint === b.checkpoint &&
  a.result.tier === b.result.tier &&
  a.result.data.fingerprint === b.result.data.fingerprint &&
  a.result.model.fingerprint === b.result.model.fingerprint;

/** One row per list of threat models that were evaluated together, for who withstands all of them. */
function unionRows(run: RunRecord): AccuracyRow[] {
  const seen = new Set<string>();
  return run.evaluations.flatMap((found): AccuracyRow[] => {
    const { together } = found.result;
    const texts = (together ?? []).map(threatText);
    const parts = texts.flatMap((text) => {
      const part = run.evaluations.find((other) => isLike(found, other) && threatText(other.result.threat) === text);
      return part ? [part.result] : [];
    });
    const key = JSON.stringify([found.checkpoint, found.result.tier, texts]);
    if (!together || parts.length < texts.length || seen.has(key)) return [];
    seen.add(key);
    const { clean, data, tier } = found.result;
    const { accuracy, interval } = unionOf(parts);
    return [
      {
        run,
        threat: `union of ${texts.join(', ')}`,
        checkpoint: found.checkpoint,
        tier,
        complete: parts.every(({ complete }) => complete),
        attacks: [...new Set(parts.flatMap(attacksOf))],
        images: data.count,
        clean: { share: clean.accuracy, interval: clean.interval },
        robust: { share: accuracy, interval },
      },
    ];
  });
}

/**
 * Every measured robustness of a run: the most thorough first, and of these the one within the radius that the run trained for; the others
 * of a curve follow by radius.
 */
export function accuracyRows(run: RunRecord): AccuracyRow[] {
  const own = radius(run);
  const rank = ({ result }: FoundEvaluation) =>
    2 * order.indexOf(result.tier) + Number(threatText(result.threat) !== own);
  const evaluated = run.evaluations
    .toSorted((a, b) => rank(a) - rank(b) || a.result.threat.epsilon - b.result.threat.epsilon)
    .map(({ checkpoint, result }) => ({
      run,
      threat: threatText(result.threat),
      checkpoint,
      tier: result.tier,
      complete: result.complete,
      attacks: attacksOf(result),
      images: result.data.count,
      clean: { share: result.clean.accuracy, interval: result.clean.interval },
      robust: { share: result.worst.accuracy, interval: result.worst.interval },
    }));
  return [...evaluated, ...unionRows(run), ...ownRows(run)];
}
