import { BulwarkError, previewRun, type CostPreview, type PluginRegistry } from '@bulwark/core';
import { tiers } from '@bulwark/core/attacks';
import { importUserModule } from '../config/load.js';
import { gradientsOf, secondsPerGradient } from '../reproduce/price.js';
import type { Conducted } from './conduct.js';
import type { PlannedPoint } from './plan.js';
import { roundEpochs } from './rounds.js';
import type { EvaluateOptions } from './sweep-file.js';

/** What one run of a point takes on this machine, or why that is not known. */
export interface PointPrice {
  readonly point: PlannedPoint;
  /** Per epoch with its validation, and comparing checkpoints at the end. */
  readonly perEpoch?: number;
  readonly atEnd?: number;
  /** At most: as if no attack broke an image before its last stage. */
  readonly evaluate?: number;
  readonly preview?: CostPreview;
  readonly reason?: string;
}

/** Measuring goes on for so long; the points left over are taken to be like those measured. */
const patience = 120_000;

function imagesOf({ images }: EvaluateOptions, { testImages }: CostPreview, fallback: number | undefined): number {
  const wanted =
    images === undefined
      ? (fallback ?? Infinity)
      : images === 'all'
        ? Infinity
        : Number(String(images).replace('first:', ''));
  return Math.min(testImages, wanted);
}

function secondsToEvaluate(options: EvaluateOptions | undefined, preview: CostPreview): number {
  if (!options) return 0;
  const tier = tiers[options.tier ?? 'quick'];
  const attacks = options.attacks ?? tier.attacks;
  const gradients = attacks.reduce((sum, attack) => sum + gradientsOf(attack, preview.classes), 0);
  const images = imagesOf(options, preview, options.attacks ? undefined : tier.images);
  return gradients * images * secondsPerGradient(preview);
}

/** Makes a few steps of each point, until patience ends. */
export async function pricePoints(
  { sweep, points }: Conducted,
  given: { registry: PluginRegistry; warn: (text: string) => void },
): Promise<PointPrice[]> {
  const services = { ...given, importModule: importUserModule, baseFolder: sweep.base.baseFolder };
  const began = Date.now();
  const prices: PointPrice[] = [];
  for (const point of points) {
    if (prices.length > 0 && Date.now() - began > patience) break;
    try {
      const preview = await previewRun(point.config, { ...services, patience: 20 });
      const { secondsInAll, secondsAtEnd, epochs } = preview;
      const perEpoch = (secondsInAll - secondsAtEnd) / epochs;
      prices.push({
        point,
        preview,
        perEpoch,
        atEnd: secondsAtEnd,
        evaluate: secondsToEvaluate(sweep.evaluate, preview),
      });
    } catch (error) {
      if (!(error instanceof BulwarkError)) throw error;
      prices.push({ point, reason: error.message });
    }
  }
  return prices;
}

/** One or more runs of a point of some length. */
export interface PricedRuns {
  readonly point: string;
  readonly runs: number;
  readonly epochs: number;
  readonly seconds?: number;
}

/** All runs of a sweep; in later rounds of successive halving those of a mean point, because nobody knows yet which go on. */
export function runsToPrice({ sweep, points }: Conducted, prices: readonly PointPrice[]): PricedRuns[] {
  const seeds = sweep.seeds.length;
  const secondsOf = ({ perEpoch, atEnd, evaluate }: PointPrice, epochs: number) =>
    perEpoch === undefined ? undefined : perEpoch * epochs + atEnd! + evaluate!;
  const known = prices.filter(({ perEpoch }) => perEpoch !== undefined);
  const meanOf = (epochs: number) =>
    known.length === 0 ? undefined : known.reduce((sum, price) => sum + secondsOf(price, epochs)!, 0) / known.length;
  const first = (epochsOf: (point: PlannedPoint) => number) =>
    points.map((point): PricedRuns => {
      const price = prices.find((one) => one.point === point);
      const epochs = epochsOf(point);
      const seconds = price ? secondsOf(price, epochs) : meanOf(epochs);
      return { point: point.name, runs: seeds, epochs, ...(seconds !== undefined && { seconds }) };
    });
  const { search } = sweep;
  if (search.use !== 'halving') return first(({ config }) => config.epochs);
  const [shortest, ...later] = roundEpochs(search);
  let count = points.length;
  const rest = later.map((epochs): PricedRuns => {
    count = Math.max(1, Math.floor(count / search.factor));
    const seconds = meanOf(epochs);
    return { point: `the best ${count}`, runs: count * seeds, epochs, ...(seconds !== undefined && { seconds }) };
  });
  return [...first(() => shortest!), ...rest];
}
