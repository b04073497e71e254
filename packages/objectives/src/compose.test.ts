import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine, type PluginSpec } from '@bulwark/core';
import { checkObjective } from '@bulwark/core/hooks';
import { lossValues, make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const valuesOf = (spec: PluginSpec) =>
  oneStep({ model: smallNetwork(), batch: smallBatch([0, 1, 2, 0]), objective: make('objective', spec) }, lossValues);

const steps = 2;

describe('compose', () => {
  it.each([
    [
      { use: 'trades', discrepancy: 'js', beta: 16, inner: { steps } },
      { use: 'compose', beta: 16, inner: { use: 'pgd', goal: 'js', steps }, regularizer: { use: 'js' } },
    ],
    [
      { use: 'mart', inner: { steps } },
      {
        use: 'compose',
        beta: 5,
        inner: { use: 'pgd', steps },
        classification: { use: 'boosted-cross-entropy' },
        regularizer: { use: 'weighted-kl' },
      },
    ],
    [
      { use: 'st', inner: { steps } },
      { use: 'compose', inner: { use: 'squeeze', steps }, regularizer: { use: 'squeeze' } },
    ],
    [
      { use: 'collaborative', inner: { steps } },
      {
        use: 'compose',
        inner: { use: 'pgd', direction: 'descend', steps },
        regularizer: { use: 'kl', between: ['natural', 'collaborative'] },
      },
    ],
  ])('of its parts is the same as %j', (whole, parts) => {
    expect(valuesOf(parts)).toEqual(valuesOf(whole));
  });

  it('refuses a term whose point nobody makes', () => {
    const objective = make('objective', {
      use: 'compose',
      inner: { use: 'pgd' },
      regularizer: { use: 'kl', between: ['natural', 'collaborative'] },
    });
    expect(() => checkObjective(objective, 'objective compose')).toThrow(
      'objective compose: the regularizer term needs the collaborative point, but there is only natural, adversarial',
    );
  });
});
