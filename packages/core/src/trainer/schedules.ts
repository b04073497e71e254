import type { Progress, Schedule } from '../hooks/index.js';

/** The base learning rate throughout. */
export const constant = (): Schedule => ({ factor: () => 1 });

/**
 * `factor` is multiplied in at each milestone. Milestones count epochs from 1, and the new rate holds from that epoch's start,
 * as in the authors' scripts.
 */
export const step = (options: { milestones: readonly number[]; factor: number }): Schedule => ({
  factor: ({ epoch }) => options.factor ** options.milestones.filter((milestone) => epoch + 1 >= milestone).length,
});

/** Half a cosine from 1 towards `floor`, per epoch: `(1 + cos(pi epoch / epochs)) / 2`, constant within an epoch. */
export const cosine = (options: { floor: number; per: 'epoch' | 'step' }): Schedule => ({
  factor(progress) {
    const done = options.per === 'step' ? position(progress) : progress.epoch;
    return options.floor + ((1 - options.floor) * (1 + Math.cos((Math.PI * done) / progress.epochs))) / 2;
  },
});

/** Explicit factors: each holds from its epoch (from 1) until the next. */
export const piecewise = (options: { points: readonly { from: number; factor: number }[] }): Schedule => ({
  factor: ({ epoch }) => options.points.filter(({ from }) => epoch + 1 >= from).at(-1)?.factor ?? 1,
});

/** Linear from 0 up to 1 at `peak` (a share of the run) and back to 0 at its end, per step. */
export const cyclic = (options: { peak: number }): Schedule => ({
  factor(progress) {
    const share = position(progress) / progress.epochs;
    return share < options.peak ? share / options.peak : (1 - share) / (1 - options.peak);
  },
});

/** Epochs done, with the share of the current one. */
const position = ({ epoch, step: index, stepsPerEpoch }: Progress): number => epoch + index / stepsPerEpoch;
