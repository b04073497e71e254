import { wilsonInterval } from '@bulwark/core';
import type { RunRecord } from './read-run.js';
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
    return [
      {
        run,
        threat: radius(run),
        checkpoint: kinds.length === 1 && best ? 'best = last' : kind,
        tier: summary.split === 'test' ? 'own test' : 'validation',
        complete: true,
        attacks: [lowest[0]],
        images,
        clean: measured(clean, images),
        robust: measured(lowest[1], images),
      },
    ];
  });
}

const order = ['full', 'custom', 'fast', 'quick'];

/** Every measured robustness of a run, the most thorough first. */
export function accuracyRows(run: RunRecord): AccuracyRow[] {
  const evaluated = run.evaluations
    .toSorted((a, b) => order.indexOf(a.result.tier) - order.indexOf(b.result.tier))
    .map(({ checkpoint, result }) => ({
      run,
      threat: radius({ config: { ...run.config, threat: result.threat as typeof run.config.threat } }),
      checkpoint,
      tier: result.tier,
      complete: result.complete,
      attacks: [...new Set(result.attacks.map(({ label, ensemble }) => ensemble ?? label))],
      images: result.data.count,
      clean: { share: result.clean.accuracy, interval: result.clean.interval },
      robust: { share: result.worst.accuracy, interval: result.worst.interval },
    }));
  return [...evaluated, ...ownRows(run)];
}
