import { integer, norms, normNames, pixelLength, type Norm, type NormName } from '@bulwark/core';
import { z } from 'zod';

/** One of the balls that a method of several norms trains in. */
export interface Ball {
  readonly norm: NormName;
  readonly epsilon: number;
}

/** The radii that are usual for CIFAR-10. */
const usual: Readonly<Record<NormName, number>> = { linf: 8 / 255, l1: 12, l2: 0.5 };

/** The option `norms` with a method's default order. */
export const ballsOption = (defaults: readonly NormName[]) =>
  z
    .array(
      z.strictObject({
        norm: z.enum(normNames).describe('the norm'),
        epsilon: pixelLength({ min: 0 }).describe('radius in that norm'),
      }),
    )
    .min(2)
    .default(defaults.map((norm) => ({ norm, epsilon: usual[norm] })))
    .describe('the balls to train in, in place of that of the threat model');

/** The option `steps` of the attack. */
export const stepsOption = (fallback: number) =>
  integer({ min: 1 }).default(fallback).describe('updates of the attack in each norm');

export const normOf = ({ norm }: Ball): Norm => norms[norm];
