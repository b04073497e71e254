import { describe, expect, it } from '@jest/globals';
import { pointsOf } from './points.js';
import { roundEpochs, survivors } from './rounds.js';

const ranges = {
  'objective.beta': { from: 1, to: 10, scale: 'linear' as const, integer: false },
  'optimizer.learningRate': { from: 0.001, to: 1, scale: 'log' as const, integer: false },
  'objective.inner.steps': { from: 1, to: 3, scale: 'linear' as const, integer: true },
  model: ['small-cnn', { use: 'mlp', width: 8 }],
};

describe('the points of a search', () => {
  it('are all combinations of a grid, each once, named by what is set', () => {
    const points = pointsOf({
      use: 'grid',
      over: { 'objective.beta': [1, 6, 6], 'optimizer.learningRate': [0.1, 0.01] },
    });
    expect(points.map(({ name }) => name)).toEqual([
      'beta-1_learningRate-0.1',
      'beta-1_learningRate-0.01',
      'beta-6_learningRate-0.1',
      'beta-6_learningRate-0.01',
    ]);
    expect(points[3]!.values).toEqual({ 'objective.beta': 6, 'optimizer.learningRate': 0.01 });
  });

  it('are those of a list as they stand; long, equal or strange names become numbers', () => {
    const points = pointsOf({
      use: 'list',
      points: [
        { objective: { use: 'trades', beta: 6 } },
        { objective: { use: 'trades', beta: 1 } },
        {
          objective: 'at',
          'data.folder': '/a path/with everything in it/that does not belong into the name of a file',
        },
        { objective: { use: 'st' } },
        { objective: { use: 'st' } },
      ],
    });
    expect(points.map(({ name }) => name)).toEqual(['point-1', 'point-2', 'point-3', 'objective-st']);
  });

  it('are told apart where the last words of two paths are the same', () => {
    const [point] = pointsOf({ use: 'list', points: [{ 'objective.inner.steps': 3, 'objective.steps': 1 }] });
    expect(point!.name).toBe('inner.steps-3_objective.steps-1');
  });

  it('are drawn from the ranges, the same for the same seed', () => {
    const draw = (seed: number) => pointsOf({ use: 'random', samples: 200, seed, over: ranges });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
    const of = (path: string) => draw(1).map(({ values }) => values[path] as number);
    expect(Math.min(...of('objective.beta'))).toBeGreaterThanOrEqual(1);
    expect(Math.max(...of('objective.beta'))).toBeLessThanOrEqual(10);
    // a third of the decades lies below 0.01
    const low = of('optimizer.learningRate').filter((rate) => rate < 0.01).length / 200;
    expect(low).toBeGreaterThan(0.23);
    expect(low).toBeLessThan(0.43);
    const steps = of('objective.inner.steps');
    expect([...new Set(steps)].sort()).toEqual([1, 2, 3]);
    for (const n of [1, 2, 3]) expect(steps.filter((step) => step === n).length).toBeGreaterThan(40);
    expect(new Set(draw(1).map(({ values }) => JSON.stringify(values['model']))).size).toBe(2);
  });

  it('coincide in a small space, and then count once', () => {
    const points = pointsOf({ use: 'random', samples: 50, seed: 0, over: { model: ['mlp', 'small-cnn'] } });
    expect(points).toHaveLength(2);
  });

  it('set no seed and no name', () => {
    expect(() => pointsOf({ use: 'grid', over: { seed: [1, 2] } })).toThrow('seed is not for points');
    expect(() => pointsOf({ use: 'list', points: [{ name: 'x' }] })).toThrow('name is not for points');
  });
});

describe('successive halving', () => {
  const search = (from: number, to: number, factor: number) => ({
    ...{ use: 'halving' as const, samples: 9, seed: 0, over: ranges },
    ...{ epochs: { from, to }, factor },
  });
  it('has rounds of growing length, the last of the length asked for', () => {
    expect(roundEpochs(search(1, 9, 3))).toEqual([1, 3, 9]);
    expect(roundEpochs(search(2, 20, 3))).toEqual([2, 6, 18, 20]);
    expect(roundEpochs(search(5, 6, 2))).toEqual([5, 6]);
  });
  it('keeps the best, in their order; of equals the earlier; never one that failed', () => {
    const scored = (scores: readonly (number | undefined)[]) => scores.map((score, item) => ({ item, score }));
    expect(survivors(scored([0.1, 0.5, 0.3, 0.5, 0.2, 0.4]), 2)).toEqual([1, 3, 5]);
    expect(survivors(scored([0.5, 0.5, 0.5]), 3)).toEqual([0]);
    expect(survivors(scored([undefined, undefined, 0.1, undefined]), 2)).toEqual([2]);
    expect(survivors(scored([0.1, 0.2]), 5)).toEqual([1]);
    expect(survivors(scored([undefined]), 2)).toEqual([]);
  });
});
