import { schedules, type Progress, type Schedule } from '@bulwark/core';
import { malformed, type FieldReader } from '../golden.js';

/** Learning rate and momentum of a step, counted from 0. */
export type Rates = (step: number) => { readonly learningRate: number; readonly momentum: number | undefined };

const along =
  (schedule: Schedule, base: number, place: (step: number) => Progress): Rates =>
  (step) => {
    const at = place(step);
    return { learningRate: base * schedule.factor(at), momentum: schedule.momentum?.(at) };
  };

/** The schedule that a case names, if it has one. */
export function ratesOf(hyper: FieldReader): Rates | undefined {
  for (const name of ['lrPerStep', 'momentumPerStep', 'lrMin']) hyper.take(name);
  const [kind, base] = [hyper.take('lrSchedule'), Number(hyper.take('lrMax'))];
  if (kind === undefined) return undefined;
  if (kind !== 'cyclic') throw malformed(`hyper.lrSchedule is ${String(kind)}; only cyclic can be run`);
  const [low, high] = hyper.take('cycleMomentum') as [number, number];
  const stepsPerEpoch = Number(hyper.take('totalSteps'));
  const cyclic = schedules.cyclic({ peak: 0.5, momentum: { low, high } });
  return along(cyclic, base, (step) => ({ epoch: 0, epochs: 1, step, stepsPerEpoch }));
}
