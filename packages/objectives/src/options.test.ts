import { describe, expect, it } from '@jest/globals';
import { createRegistry, type PluginSpec } from '@bulwark/core';
import { checkSpec } from '@bulwark/core/run';
import { objectivePlugins } from './index.js';

const registry = createRegistry([...objectivePlugins]);
const check = (spec: PluginSpec) => checkSpec(registry, 'objective', spec, ['objective']);

describe('options of objectives', () => {
  it('accept the section of the design document, fractions included', () => {
    const inner = { steps: 10, stepSize: '2/255' };
    expect(check({ use: 'st', beta: 6, discrepancy: 'symmetric-kl', inner })).toMatchObject({
      beta: 6,
      detachTarget: true,
      inner: { steps: 10, stepSize: 2 / 255, start: 'gaussian', startScale: 0.001, mode: 'batch' },
    });
  });

  it('have the defaults of the reference', () => {
    expect(check({ use: 'at' })).toMatchObject({ inner: { steps: 10, start: 'uniform', mode: 'eval' } });
    expect(check({ use: 'trades' })).toMatchObject({ beta: 6, passes: ['natural', 'adversarial', 'natural'] });
    expect(check({ use: 'mart' })).toMatchObject({ beta: 5 });
    expect(check({ use: 'rst' })).toMatchObject({ inner: { stepSize: 0.007 }, passes: ['adversarial', 'natural'] });
    expect(check({ use: 'st-rst' })).toMatchObject({
      inner: { start: 'unclipped-uniform' },
      passes: ['collaborative:batch', 'adversarial', 'natural'],
    });
    expect(check({ use: 'gairat' })).toMatchObject({ lambda: -1, weights: 'tanh' });
  });

  it.each([
    [{ use: 'st', beta: -1 }, 'objective.beta is -1'],
    [{ use: 'st', inner: { steps: 1.5 } }, 'objective.inner.steps is 1.5'],
    [{ use: 'st', inner: { step: 3 } }, 'objective.inner.step is not an option here'],
    [{ use: 'trades', discrepancy: 'hellinger' }, 'objective.discrepancy is "hellinger"'],
    [{ use: 'two-neighbours' }, 'objective.of is missing'],
    [{ use: 'two-neighbours', of: { use: 'trades', betta: 3 } }, 'objective.of.betta is not an option here'],
  ])('refuse %j', (spec, message) => {
    expect(() => check(spec as PluginSpec)).toThrow(message);
  });
});
