import { beforeAll, describe, expect, it } from '@jest/globals';
import { BulwarkError, useEngine, type Objective, type PluginServices } from '@bulwark/core';
import { checkSecondOrder } from '@bulwark/core/trainer';
import * as tf from '@tensorflow/tfjs-core';
import { ard, hat, lbgat, rslad } from './index.js';
import { craftContext, make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const parts = [
  ['hat', 'helper', hat],
  ['ard', 'teacher', ard],
  ['rslad', 'teacher', rslad],
  ['lbgat', 'companion', lbgat],
] as const;

describe.each(parts)('the second model of %s', (name, option, plugin) => {
  const refused = (data: Pick<PluginServices, 'inputShape' | 'classNames'>, model: unknown = smallNetwork()) => {
    const services = { make: () => model, ...data } as unknown as PluginServices;
    return () => plugin.create(plugin.options.parse({ [option]: 'small' }) as never, services);
  };

  it('is refused when the run is composed, by name, if it has other classes, another shape, or comes later', () => {
    const before = tf.memory().numTensors;
    expect(refused({ inputShape: [4, 4, 1], classNames: ['a', 'b'] })).toThrow(
      `${name}: the ${option} small has 3 classes; the data have 2`,
    );
    expect(refused({ inputShape: [8, 8, 3], classNames: ['a', 'b', 'c'] })).toThrow(
      `${name}: the ${option} small takes images of shape [4,4,1]; those of the data are [8,8,3]`,
    );
    const data = { inputShape: [4, 4, 1] as const, classNames: ['a', 'b', 'c'] };
    expect(refused(data, Promise.resolve())).toThrow(`${name}: the ${option} small is read asynchronously`);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is named where its weights do not fit, in the hint, too', () => {
    const make = () => {
      throw new BulwarkError('WEIGHTS_INVALID', 'w.pt has other layers', { hint: 'set model.width: 4' });
    };
    const services = { make, inputShape: [4, 4, 1], classNames: ['a'] } as unknown as PluginServices;
    const create = () => plugin.create(plugin.options.parse({ [option]: 'small' }) as never, services);
    expect(create).toThrow(
      expect.objectContaining({
        message: `${name}: the ${option}: w.pt has other layers`,
        hint: `set ${option}.width: 4`,
      }) as unknown as Error,
    );
  });

  it('is doubted if it teaches without having been trained', () => {
    const said: string[] = [];
    const of = (spec: object) => {
      const services = {
        make: () => Object.assign(smallNetwork(), { architecture: { use: 'small' } }),
        warn: (text: string) => void said.push(text),
        ...{ inputShape: [4, 4, 1], classNames: ['a', 'b', 'c'] },
      } as unknown as PluginServices;
      const parsed = plugin.options.parse({ [option]: { use: 'small', ...spec } });
      plugin.create(parsed as never, services).dispose!();
    };
    of({ weights: 'w.pt' });
    expect(said).toEqual([]);
    of({});
    expect(said.join()).toMatch(option === 'companion' ? /^$/ : `${name}: the ${option} small has no weights`);
  });

  it('is freed with the objective', () => {
    const before = tf.memory().numTensors;
    make('objective', { use: name, [option]: 'small' }).dispose!();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('HAT puts the helper twice as far as the adversarial point', () => {
  const objective = make('objective', { use: 'hat', helper: 'small', inner: { steps: 2 } });
  const batch = smallBatch([0, 1, 2]);
  const { points } = objective.inner.craft(batch, craftContext(smallNetwork()));
  const far = tf.sub(points['helper']!, batch.images);
  const near = tf.sub(points['adversarial']!, batch.images);
  expect(Math.max(...tf.abs(tf.sub(far, tf.mul(2, near))).dataSync())).toBeLessThan(1e-6);
});

it('a companion is trained along', () => {
  const objective = make('objective', { use: 'lbgat', companion: 'small', inner: { steps: 1 } });
  const weight = objective.companions!.get('companion')!.parameters.get('fc.weight')!;
  const before = [...weight.dataSync()];
  oneStep({ model: smallNetwork(), batch: smallBatch([0, 1, 2]), objective }, () => undefined);
  expect([...weight.dataSync()]).not.toEqual(before);
});

describe('a method that differentiates a gradient', () => {
  const differentiatedTwice = () => ({ ...make('objective', { use: 'grad-align' }), name: 'grad-align' });

  it('takes a model whose ops can be differentiated twice', () => {
    expect(() => checkSecondOrder(smallNetwork(), differentiatedTwice())).not.toThrow();
  });

  it('refuses one with an op that cannot, when the run is composed', () => {
    const model = smallNetwork();
    const rough = {
      ...model,
      name: 'rough',
      taped: () => {
        throw new Error('gradient function not found for Foo');
      },
    };
    const objective = differentiatedTwice();
    const before = tf.memory().numTensors;
    expect(() => checkSecondOrder(rough, objective)).toThrow(
      /grad-align: its alignment term differentiates a gradient, which the model rough cannot on the engine wasm \(gradient function not found for Foo\)/,
    );
    expect(() => checkSecondOrder(rough, {} as Objective)).not.toThrow();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it.each(['free-at', 'elle', 'lbgat'])('two-neighbours refuses %s, which is more than terms at single points', (use) => {
  const of = use === 'lbgat' ? { use, companion: 'small' } : { use };
  expect(() => make('objective', { use: 'two-neighbours', of })).toThrow(/cannot be doubled/);
});
