import { BulwarkError } from '../errors.js';
import type { ImageShape } from '../image-set.js';
import type { NormName, ThreatModel } from './norm.js';

/** A length in pixel values of [0, 1], as someone has written it. */
export interface WrittenLength {
  /** Where it is written: `threat.epsilon`, `--step-size`. */
  readonly name: string;
  readonly value: number;
  /** Its own norm, where that is not the threat model's. */
  readonly norm?: NormName;
}

/** What lengths are measured against; the shape of images may not be known yet. */
export interface LengthScale {
  readonly norm: NormName;
  readonly shape?: ImageShape;
}

/** The distance between a black and a white image; unknown for l2 and l1 while the shape is. */
function largestDistance({ norm, shape }: LengthScale): number {
  if (!shape && norm !== 'linf') return Infinity;
  const pixels = shape ? shape[0] * shape[1] * shape[2] : 1;
  return norm === 'linf' ? 1 : norm === 'l2' ? Math.sqrt(pixels) : pixels;
}

/** How a threat model is written: `linf 8/255`, `l2 0.5`. A measurement is shown with it everywhere. */
export const threatText = ({ norm, epsilon }: { norm: NormName; epsilon: number }): string =>
  norm === 'linf' ? `${norm} ${Number((255 * epsilon).toFixed(3))}/255` : `${norm} ${Number(epsilon.toFixed(6))}`;

/** The unit that radii of a norm are drawn in: linf in steps of a byte. A radius times `factor` is in it. */
export const radiusUnit = (norm: NormName): { readonly factor: number; readonly name: string } =>
  norm === 'linf' ? { factor: 255, name: 'of 255' } : { factor: 1, name: 'pixels in [0, 1]' };

const short = (value: number) => Number(value.toPrecision(4));

/** The same length as it is meant, if it counts in values of 0 to 255. */
const inUnit = (value: number) => `${short(value)}/255`;

/**
 * Refuses lengths that no two images in [0, 1] are apart: 8 where 8/255 is meant.
 * @throws BulwarkError CONFIG_INVALID
 */
export function refuseBytes({ name, value }: WrittenLength, scale: LengthScale): void {
  const most = largestDistance(scale);
  if (value <= most) return;
  throw new BulwarkError(
    'CONFIG_INVALID',
    `${name} is ${short(value)}: pixels are in [0, 1], where no two images are further apart than ${short(most)} in ${scale.norm}`,
    { hint: `if it counts in pixel values of 0 to 255, write ${inUnit(value)}` },
  );
}

/** From these shares of the largest distance on, a radius is no imperceptible change: 0.5 turns every image into plain gray. */
const doubtful: Readonly<Record<NormName, number>> = { linf: 0.5, l2: 0.125, l1: 0.125 };

/** Why a radius looks like one in values of 0 to 255, although it is possible; undefined if it does not. */
export function doubtOfRadius({ name, value }: WrittenLength, scale: LengthScale): string | undefined {
  const share = value / largestDistance(scale);
  if (share < doubtful[scale.norm]) return undefined;
  return `${name} is ${short(value)} in ${scale.norm}, which moves every pixel by ${short(share)} of its range; if it counts in pixel values of 0 to 255, write ${inUnit(value)}`;
}

/** Steps beyond this many radii cross the ball many times. */
const mostRadii = 4;

/** The same for the length of a step within a ball. */
export function doubtOfStep({ name, value }: WrittenLength, { norm, epsilon }: ThreatModel): string | undefined {
  if (epsilon === 0 || value <= mostRadii * epsilon) return undefined;
  return `${name} is ${short(value)}, ${short(value / epsilon)} times the radius ${short(epsilon)} (${norm.name}); if it counts in pixel values of 0 to 255, write ${inUnit(value)}`;
}
