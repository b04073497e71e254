import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine, type PluginSpec } from '@bulwark/core';
import { lossValues, make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const inner = { steps: 2 };
const valuesOf = (spec: PluginSpec) =>
  oneStep({ model: smallNetwork(), batch: smallBatch([0, 1, 2, 0]), objective: make('objective', spec) }, lossValues);

describe('two neighbours', () => {
  it('take the mean of the terms at both', () => {
    const [total, natural, first, second] = valuesOf({ use: 'two-neighbours', of: { use: 'trades', inner } });
    expect(total).toBeCloseTo(natural! + (6 * (first! + second!)) / 2, 5);
    expect(first).not.toBe(second);
  });

  it('take the worse neighbour of each example with max', () => {
    const of = { use: 'at', inner };
    const [mean] = valuesOf({ use: 'two-neighbours', of });
    const [max] = valuesOf({ use: 'two-neighbours', of, combine: 'max' });
    expect(max).toBeGreaterThanOrEqual(mean!);
  });

  it('name their terms, and pass once through natural and each neighbour', () => {
    const { terms, passes } = make('objective', { use: 'two-neighbours', of: { use: 'mart' } });
    expect(terms.map(({ name }) => name)).toEqual([
      'classification-1',
      'classification-2',
      'regularizer-1',
      'regularizer-2',
    ]);
    expect(passes.map(({ role }) => role)).toEqual(['natural', 'adversarial', 'adversarial-2']);
  });

  it('read the facts of their own attack', () => {
    const values = valuesOf({ use: 'two-neighbours', of: { use: 'gairat', inner, burnIn: 0 } });
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it('start from independent noise', () => {
    const points = oneStep(
      {
        model: smallNetwork(),
        batch: smallBatch([0, 1]),
        objective: make('objective', { use: 'two-neighbours', of: { use: 'at', inner: { steps: 0 } } }),
      },
      ({ crafted }) => Object.values(crafted.points).map((point) => [...point.dataSync()]),
    );
    expect(points).toHaveLength(2);
    expect(points[0]).not.toEqual(points[1]);
  });
});
