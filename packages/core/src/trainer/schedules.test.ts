import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { Schedule } from '../hooks/index.js';
import { constant, cosine, cyclic, piecewise, step } from './schedules.js';

interface ScheduleCase {
  readonly name: string;
  readonly base: number;
  readonly epochs: number;
  /** Run-length encoded `[rate, epochs]`. */
  readonly runs?: [number, number][];
  readonly values?: number[];
}

/** Learning rates per epoch, from the authors' own scripts. */
const { items } = JSON.parse(
  readFileSync(new URL('../../fixtures/training/schedules.json', import.meta.url), 'utf8'),
) as { items: ScheduleCase[] };

const ratesOf = ({ runs, values }: ScheduleCase): number[] =>
  values ?? runs!.flatMap(([rate, count]) => new Array<number>(count).fill(rate));

/** The schedule that a case's runs describe: every change of rate is a point. */
function pointsOf({ base, runs }: ScheduleCase): { from: number; factor: number }[] {
  let from = 1;
  return runs!.map(([rate, count]) => {
    const point = { from, factor: rate / base };
    from += count;
    return point;
  });
}

const at = (schedule: Schedule, epoch: number, epochs: number, step = 0) =>
  schedule.factor({ epoch, epochs, step, stepsPerEpoch: 10 });

describe('schedules', () => {
  it.each(items)('give the rates of $name, epoch by epoch', (golden) => {
    const schedule = golden.values ? cosine({ floor: 0, per: 'epoch' }) : piecewise({ points: pointsOf(golden) });
    const rates = ratesOf(golden);
    expect(rates).toHaveLength(golden.epochs);
    rates.forEach((rate, epoch) => expect(golden.base * at(schedule, epoch, golden.epochs)).toBeCloseTo(rate, 9));
  });

  it("write the ST authors' schedule as two milestones", () => {
    const golden = items.find(({ name }) => name === 'st-120')!;
    const schedule = step({ milestones: [80, 100], factor: 0.1 });
    ratesOf(golden).forEach((rate, epoch) => expect(0.1 * at(schedule, epoch, 120)).toBeCloseTo(rate, 9));
  });

  it('keep a constant rate', () => {
    expect([0, 5, 9].map((epoch) => at(constant(), epoch, 10))).toEqual([1, 1, 1]);
  });

  it('climb to the peak of a cycle and come back to 0, within epochs too', () => {
    const schedule = cyclic({ peak: 0.4 });
    expect(at(schedule, 0, 10)).toBe(0);
    expect(at(schedule, 2, 10)).toBeCloseTo(0.5, 12);
    expect(at(schedule, 4, 10)).toBeCloseTo(1, 12);
    expect(at(schedule, 2, 10, 5)).toBeCloseTo(0.625, 12);
    expect(at(schedule, 7, 10)).toBeCloseTo(0.5, 12);
  });

  it('move a cosine per step only if asked', () => {
    const perStep = cosine({ floor: 0.1, per: 'step' });
    const perEpoch = cosine({ floor: 0.1, per: 'epoch' });
    expect(at(perEpoch, 3, 10, 9)).toBe(at(perEpoch, 3, 10, 0));
    expect(at(perStep, 3, 10, 9)).toBeLessThan(at(perStep, 3, 10, 0));
    expect(at(perEpoch, 0, 10)).toBe(1);
  });
});
