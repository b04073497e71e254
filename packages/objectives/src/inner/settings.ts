import { integer, pixelLength } from '@bulwark/core';
import { onlyWith, updateLength } from '@bulwark/core/plugins';
import { z } from 'zod';

/** Where an attack may start. */
export const startNames = ['gaussian', 'uniform', 'unclipped-uniform', 'none'] as const;
/** A start by its name in configs. */
export type StartName = (typeof startNames)[number];

/** Settings that every gradient loop of a training method has. */
export interface InnerSettings {
  /** Updates of the point; 0 trains on the start point itself, projected. */
  readonly steps: number;
  /** Length of one update in the threat model's norm, in pixel units of [0, 1]. */
  readonly stepSize: number;
  readonly start: StartName;
  /** Standard deviation of a gaussian start. */
  readonly startScale: number;
  /** What BatchNorm does in the attack's passes. */
  readonly mode: 'eval' | 'batch' | 'train';
}

/** The options behind `inner`, with the defaults of one method (the rest: 10 steps of 2/255 in linf, of a quarter of epsilon in l2 and l1). */
export function innerOptions(defaults: Pick<InnerSettings, 'start' | 'mode'> & Partial<InnerSettings>) {
  return {
    steps: integer({ min: 0 })
      .default(defaults.steps ?? 10)
      .describe('updates of the point'),
    stepSize: updateLength(defaults.stepSize ?? 2 / 255),
    start: z
      .enum(startNames)
      .default(defaults.start)
      .describe(
        'gaussian is x + startScale N(0, I), uniform a random point of the ball clipped to [0, 1], none x itself',
      ),
    startScale: onlyWith(
      pixelLength({ min: 0 })
        .default(defaults.startScale ?? 0.001)
        .describe('standard deviation of a gaussian start'),
      { start: 'gaussian' },
    ),
    mode: z
      .enum(['eval', 'batch', 'train'])
      .default(defaults.mode)
      .describe('BatchNorm in the attack; train also updates the running statistics'),
  };
}

/** The section `inner` of an objective; every key may be left out. */
export function innerSection(defaults: Parameters<typeof innerOptions>[0]) {
  return z.strictObject(innerOptions(defaults)).prefault({}).describe('the attack that makes the neighbours');
}
