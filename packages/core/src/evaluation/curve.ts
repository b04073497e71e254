import { BulwarkError } from '../errors.js';
import type { EvaluationResult } from './result.js';
import { wilsonInterval } from './statistics.js';

/** What is left of a model's accuracy. */
export interface Accuracy {
  /** One character per example: `1` correct whatever was tried, `0` not. */
  readonly flags: string;
  readonly accuracy: number;
  /** 95 % interval for this number of images. */
  readonly interval: readonly [number, number];
}

/** Accuracy within one radius. */
export interface CurvePoint extends Accuracy {
  readonly epsilon: number;
}

function accuracyOf(standing: readonly boolean[]): Accuracy {
  const hits = standing.filter(Boolean).length;
  return {
    flags: standing.map(Number).join(''),
    accuracy: hits / standing.length,
    interval: wilsonInterval(hits, standing.length),
  };
}

/** @throws BulwarkError USAGE unless all results are of the same model and images */
function checkSame(results: readonly EvaluationResult[], what: string): void {
  const [first] = results;
  if (!first) throw new BulwarkError('USAGE', `${what} of no results`, { hint: 'evaluate first' });
  for (const { model, data } of results) {
    const other =
      model.fingerprint !== first.model.fingerprint
        ? 'models (or weights)'
        : data.fingerprint !== first.data.fingerprint && 'images';
    if (other)
      throw new BulwarkError('USAGE', `${what} of results of different ${other}`, {
        hint: 'evaluate the same model on the same images',
      });
  }
}

/**
 * Accuracy over the radius, from results within several radii of one norm: an image that is broken within one radius is broken within all
 * larger ones, so the curve never rises.
 * @returns one point per radius, ascending; the first is the clean accuracy at radius 0
 * @throws BulwarkError USAGE where the results are of different models, images or norms
 */
export function accuracyCurve(results: readonly EvaluationResult[]): CurvePoint[] {
  checkSame(results, 'a curve');
  const { threat: first, clean } = results[0]!;
  const stranger = results.find(({ threat }) => threat.norm !== first.norm);
  if (stranger)
    throw new BulwarkError('USAGE', `a curve of results in ${first.norm} and ${stranger.threat.norm}`, {
      hint: 'make a curve of each norm',
    });
  const right = [...clean.flags].map((flag) => flag === '1');
  const within = (radius: number) => {
    const known = results.flatMap(({ threat, worst }) => (threat.epsilon <= radius ? [worst.flags] : []));
    return right.map((stands, i) => stands && known.every((flags) => flags[i] === '1'));
  };
  const radii = [...new Set(results.map(({ threat }) => threat.epsilon))].filter((radius) => radius > 0);
  return [
    { epsilon: 0, ...accuracyOf(right) },
    ...radii.toSorted((a, b) => a - b).map((epsilon) => ({ epsilon, ...accuracyOf(within(epsilon)) })),
  ];
}

/**
 * Who withstands every one of several threat models: correct when clean and, per image, against the worst case of each.
 * @throws BulwarkError USAGE where the results are of different models or images
 */
export function unionOf(results: readonly EvaluationResult[]): Accuracy {
  checkSame(results, 'a union');
  const flags = results.map(({ worst }) => worst.flags);
  return accuracyOf([...flags[0]!].map((_, i) => flags.every((each) => each[i] === '1')));
}
