import type { Progress, Schedule } from '@bulwark/core';
import { schedules } from '@bulwark/core/trainer';
import { malformed, type FieldReader } from '../golden.js';

/** Learning rate and momentum of a step, counted from 0. */
export type Rates = (step: number) => { readonly learningRate: number; readonly momentum: number | undefined };

const along =
  (schedule: Schedule, base: number, place: (step: number) => Progress): Rates =>
  (step) => {
    const at = place(step);
    return { learningRate: base * schedule.factor(at), momentum: schedule.momentum?.(at) };
  };

/** PyTorch's one-cycle policy, per epoch or per step, as the DM trainer builds it. */
function oneCycleOf(hyper: FieldReader, kind: unknown, base: number): Rates {
  if (kind !== 'cosinew' && kind !== 'cyclic')
    throw malformed(`hyper.scheduler is ${String(kind)}; only cosinew and cyclic can be run`);
  const epochs = Number(hyper.take('epochs'));
  const stepsPerEpoch = Number(hyper.take('updateSteps'));
  const per = kind === 'cosinew' ? 'epoch' : 'step';
  const peak = kind === 'cosinew' ? 0.025 : 0.25;
  const momentum = { low: 0.85, high: 0.95 };
  const schedule = schedules.oneCycle({ peak, startDivisor: 25, endDivisor: 1e4, momentum, per });
  const plan = hyper.take('epochPlan') as [epoch: number, steps: number][];
  const epochOf = plan.flatMap(([epoch, steps]) => Array.from({ length: steps }, () => epoch - 1));
  return along(schedule, base, (step) =>
    per === 'step'
      ? { epoch: 0, epochs, step, stepsPerEpoch }
      : { epoch: epochOf[step]!, epochs, step: 0, stepsPerEpoch },
  );
}

/** The schedule that a case names, if it has one. */
export function ratesOf(hyper: FieldReader): Rates | undefined {
  for (const name of ['lrPerStep', 'momentumPerStep', 'lrMin']) hyper.take(name);
  const [kind, base] = [hyper.take('lrSchedule'), Number(hyper.take('lrMax'))];
  const scheduler = hyper.take('scheduler');
  if (scheduler !== undefined) return oneCycleOf(hyper, scheduler, base);
  if (kind === undefined) return undefined;
  if (kind !== 'cyclic') throw malformed(`hyper.lrSchedule is ${String(kind)}; only cyclic can be run`);
  const [low, high] = hyper.take('cycleMomentum') as [number, number];
  const stepsPerEpoch = Number(hyper.take('totalSteps'));
  const cyclic = schedules.cyclic({ peak: 0.5, momentum: { low, high } });
  return along(cyclic, base, (step) => ({ epoch: 0, epochs: 1, step, stepsPerEpoch }));
}
