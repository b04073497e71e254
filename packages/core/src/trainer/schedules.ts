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

/** Bounds between which a schedule moves the momentum, against the learning rate. */
export interface MomentumBounds {
  readonly low: number;
  readonly high: number;
}

/** Momentum at a height between 0 and 1 of the learning rate. */
const against = (bounds: MomentumBounds | undefined, height: number): number | undefined =>
  bounds && bounds.high - (bounds.high - bounds.low) * height;

/**
 * Linear from 0 up to 1 at `peak` (a share of the run) and back to 0 at its end, per step. With `momentum`, that moves the other way, as
 * in PyTorch's CyclicLR; `ahead` takes the place at the end of each step, not at its start.
 */
export function cyclic(options: { peak: number; momentum?: MomentumBounds; ahead?: boolean }): Schedule {
  const factor = ({ step: index, ...progress }: Progress) => {
    const share = position({ ...progress, step: index + (options.ahead ? 1 : 0) }) / progress.epochs;
    return share < options.peak ? share / options.peak : (1 - share) / (1 - options.peak);
  };
  return { factor, momentum: (progress) => against(options.momentum, factor(progress)) };
}

/** Options of `oneCycle`. */
export interface OneCycleOptions {
  /** Share of the run at which the base rate is reached. */
  readonly peak: number;
  /** The first rate is the base rate divided by this. */
  readonly startDivisor: number;
  /** The last rate is the first one divided by this. */
  readonly endDivisor: number;
  readonly momentum?: MomentumBounds;
  readonly per: 'epoch' | 'step';
}

/**
 * PyTorch's OneCycleLR: half a cosine up to the base rate, half a cosine down; momentum the other way. The place of the peak counts in
 * units (steps or epochs) less one, as there.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { peak, startDivisor, endDivisor, per } = options;
  /** Between the start of a phase (0) and its end (1), on a cosine. */
  const height = (progress: Progress): { rising: boolean; height: number } => {
    const units = per === 'step' ? progress.epochs * progress.stepsPerEpoch : progress.epochs;
    const at = per === 'step' ? progress.epoch * progress.stepsPerEpoch + progress.step : progress.epoch;
    const top = peak * units - 1;
    const rising = at <= top;
    const share = rising ? at / top : (at - top) / (units - 1 - top);
    const up = (1 - Math.cos(Math.PI * (Number.isFinite(share) ? share : 1))) / 2;
    return { rising, height: rising ? up : 1 - up };
  };
  return {
    factor(progress) {
      const { rising, height: h } = height(progress);
      const floor = rising ? 1 / startDivisor : 1 / (startDivisor * endDivisor);
      return floor + (1 - floor) * h;
    },
    momentum: (progress) => against(options.momentum, height(progress).height),
  };
}

/**
 * Linear over the first `warmup` epochs, then half a cosine, per epoch counted from 1 (the code of DKL):
 * `(1 + cos(pi (e - warmup) / (epochs - warmup + 1))) / 2`.
 */
export const warmCosine = (options: { warmup: number }): Schedule => ({
  factor({ epoch, epochs }) {
    const [e, { warmup }] = [epoch + 1, options];
    return e < warmup ? e / warmup : (1 + Math.cos((Math.PI * (e - warmup)) / (epochs - warmup + 1))) / 2;
  },
});

/** Epochs done, with the share of the current one. */
const position = ({ epoch, step: index, stepsPerEpoch }: Progress): number => epoch + index / stepsPerEpoch;
