import { beforeAll, describe, expect, it } from '@jest/globals';
import { norms, useEngine, type PluginSpec } from '@bulwark/core';
import { checkObjective } from '@bulwark/core/hooks';
import * as tf from '@tensorflow/tfjs-core';
import { objectivePlugins } from './index.js';
import { craftContext, lossValues, make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

/** Every objective once, with few inner steps; those that take other plugins are given some. */
const specs: PluginSpec[] = objectivePlugins
  .filter(({ kind }) => kind === 'objective')
  .map(({ name, options }) => {
    if (name === 'compose') return { use: name, inner: { use: 'pgd', steps: 2 }, regularizer: { use: 'kl' } };
    const model = ['helper', 'teacher', 'companion'].find((option) => option in options.shape);
    if (model) return { use: name, [model]: 'small', inner: { steps: 2 } };
    if (name === 'two-neighbours') return { use: name, of: { use: 'trades', inner: { steps: 2 } } };
    return { use: name, ...('inner' in options.shape && { inner: { steps: 2 } }) };
  });

const data = (tensor: tf.Tensor) => [...tensor.dataSync()];

const withInner = (spec: PluginSpec, inner: object): PluginSpec => {
  if (spec.use === 'two-neighbours') return { ...spec, of: withInner(spec['of'] as PluginSpec, inner) };
  return spec['inner'] ? { ...spec, inner: { ...(spec['inner'] as object), ...inner } } : spec;
};

describe.each(specs)('the objective $use', (spec) => {
  const objective = () => make('objective', spec);

  it('fits together', () => {
    expect(() => checkObjective(objective(), spec.use)).not.toThrow();
  });

  it('crafts points in the ball and in [0, 1], and leaves the weights alone', () => {
    const model = smallNetwork();
    const batch = smallBatch([0, 1, 2, 0]);
    const before = [...model.parameters.values()].map(data);
    const { points, facts } = objective().inner.craft(batch, craftContext(model));
    expect(Object.keys(points).sort()).toEqual([...objective().inner.produces].sort());
    for (const [role, point] of Object.entries(points)) {
      if (objective().inner.beyond?.includes(role)) continue;
      expect(Math.max(...data(tf.abs(tf.sub(point, batch.images))))).toBeLessThanOrEqual(8 / 255 + 1e-6);
      expect(Math.min(...data(point))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...data(point))).toBeLessThanOrEqual(1);
    }
    expect([...model.parameters.values()].map(data)).toEqual(before);
    tf.dispose([...Object.values(points), ...Object.values(facts ?? {})]);
  });

  it('gives the same numbers for the same generator', () => {
    const run = () => {
      const model = smallNetwork();
      return oneStep({ model, batch: smallBatch([0, 1, 2, 0]), objective: objective() }, lossValues);
    };
    expect(run()).toEqual(run());
  });

  it('leaks no tensor', () => {
    const model = smallNetwork();
    const batch = smallBatch([0, 1, 2, 0]);
    const step = () => {
      const own = objective();
      oneStep({ model, batch, objective: own }, () => undefined);
      own.dispose?.();
    };
    step();
    const before = tf.memory().numTensors;
    step();
    expect(tf.memory().numTensors).toBe(before);
  });

  const finiteStep = (options: { labels: number[]; spec?: PluginSpec; epsilon?: number; classes?: number }) => {
    const threat = { norm: norms.linf, epsilon: options.epsilon ?? 8 / 255 };
    const values = oneStep(
      {
        model: smallNetwork(options.classes),
        batch: smallBatch(options.labels),
        objective: make('objective', options.spec ?? spec),
        context: { threat },
      },
      lossValues,
    );
    expect(values.every(Number.isFinite)).toBe(true);
    return values;
  };

  it('trains on a batch of one example', () => {
    finiteStep({ labels: [1] });
  });

  it('trains on a batch of one class only', () => {
    finiteStep({ labels: [2, 2, 2, 2] });
  });

  it('trains on the images themselves with an epsilon of 0: regularizers are then 0', () => {
    const terms = make('objective', spec).terms.map(({ name }) => name);
    const values = finiteStep({ labels: [0, 1, 2, 0], epsilon: 0 }).slice(1);
    terms.forEach((name, i) => {
      if (name.startsWith('regularizer') || name.startsWith('bridge')) expect(Math.abs(values[i]!)).toBeLessThan(1e-6);
    });
  });

  it('trains on the projected start point with 0 inner steps', () => {
    finiteStep({ labels: [0, 1, 2, 0], spec: withInner(spec, { steps: 0 }) });
  });

  it('trains on unlabelled examples beside labelled ones', () => {
    finiteStep({ labels: [0, -1, 2, -1] });
  });

  it('passes a NaN of the weights on to the loss, where the trainer finds it', () => {
    const model = smallNetwork();
    const weight = model.parameters.get('fc.weight')!;
    weight.assign(tf.fill(weight.shape, NaN));
    const values = oneStep({ model, batch: smallBatch([0, 1, 2, 0]), objective: objective() }, lossValues);
    expect(values[0]).toBeNaN();
  });
});
